/** Answers in the two wire formats: whole, and as the events of a stream. */
import { randomUUID } from 'node:crypto'
import type { Turn } from './provider.ts'

type Json = Record<string, unknown>
type Event = { readonly type: string } & Json
type Answer = { readonly whole: object; readonly events: readonly Event[] }

/** Fits the model's command into whatever shell tool the request offers. */
function shellCall(tools: readonly Json[], command: string): { name: string; input: Json } {
  for (const tool of tools) {
    const name = typeof tool['name'] === 'string' ? tool['name'] : ''
    if (!/^(?:bash|shell|exec_command|shell_command|local_shell)$/i.test(name)) continue
    const schema = (tool['input_schema'] ?? tool['parameters'] ?? {}) as { properties?: Json }
    const properties = schema.properties ?? {}
    if ('cmd' in properties) return { name, input: { cmd: command } }
    const asList = (properties['command'] as Json | undefined)?.['type'] === 'array'
    const description = 'description' in properties ? { description: 'as asked' } : {}
    return { name, input: { command: asList ? ['bash', '-lc', command] : command, ...description } }
  }
  throw new Error(`no shell among ${tools.map((tool) => JSON.stringify(tool['name'])).join(', ')}`)
}

export function messagesAnswer(request: Json, turn: Turn): Answer {
  const tools = (request['tools'] ?? []) as Json[]
  const call = turn.kind === 'tool' ? shellCall(tools, turn.command) : null
  const id = randomUUID().replaceAll('-', '')
  const block =
    call === null
      ? { type: 'text', text: turn.kind === 'text' ? turn.text : '' }
      : { type: 'tool_use', id: `toolu_${id}`, name: call.name, input: call.input }
  const stop = call === null ? 'end_turn' : 'tool_use'
  const message = {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model: request['model'],
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage: { input_tokens: 10, output_tokens: 1 },
  }
  const begun = call === null ? { type: 'text', text: '' } : { ...block, input: {} }
  const deltas =
    call === null
      ? pieces(turn.kind === 'text' ? turn.text : '').map((text) => ({ type: 'text_delta', text }))
      : [{ type: 'input_json_delta', partial_json: JSON.stringify(call.input) }]
  return {
    whole: {
      ...message,
      content: [block],
      stop_reason: stop,
      usage: { input_tokens: 10, output_tokens: 8 },
    },
    events: [
      { type: 'message_start', message },
      { type: 'content_block_start', index: 0, content_block: begun },
      ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
      { type: 'content_block_stop', index: 0 },
      {
        type: 'message_delta',
        delta: { stop_reason: stop, stop_sequence: null },
        usage: { output_tokens: 8 },
      },
      { type: 'message_stop' },
    ],
  }
}

export function responsesAnswer(request: Json, turn: Turn): Answer {
  const events = responsesEvents(request, turn)
  return { whole: events.at(-1)?.['response'] as object, events }
}

export function responsesEvents(request: Json, turn: Turn): readonly Event[] {
  const call =
    turn.kind === 'tool' ? shellCall(flat((request['tools'] ?? []) as Json[]), turn.command) : null
  const id = randomUUID().replaceAll('-', '')
  const text = turn.kind === 'text' ? turn.text : ''
  const item: Json =
    call === null
      ? {
          type: 'message',
          id: `msg_${id}`,
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text, annotations: [] }],
        }
      : {
          type: 'function_call',
          id: `fc_${id}`,
          call_id: `call_${id}`,
          name: call.name,
          arguments: JSON.stringify(call.input),
          status: 'completed',
        }
  const response = {
    id: `resp_${id}`,
    object: 'response',
    created_at: 1,
    model: request['model'],
    status: 'completed',
    output: request['generate'] === false ? [] : [item],
    usage: {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 8,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 18,
    },
  }
  const started = {
    type: 'response.created',
    response: { ...response, status: 'in_progress', output: [] },
  }
  const done = { type: 'response.completed', response }
  if (request['generate'] === false) return numbered([started, done])
  const place = { item_id: item['id'], output_index: 0, content_index: 0 }
  const begun = call === null ? { ...item, content: [] } : { ...item, arguments: '' }
  const middle: Event[] =
    call === null
      ? [
          {
            type: 'response.content_part.added',
            ...place,
            part: { type: 'output_text', text: '', annotations: [] },
          },
          ...pieces(text).map((delta) => ({ type: 'response.output_text.delta', ...place, delta })),
          { type: 'response.output_text.done', ...place, text },
        ]
      : [
          {
            type: 'response.function_call_arguments.done',
            item_id: item['id'],
            output_index: 0,
            arguments: item['arguments'],
          },
        ]
  return numbered([
    started,
    { type: 'response.output_item.added', output_index: 0, item: begun },
    ...middle,
    { type: 'response.output_item.done', output_index: 0, item },
    done,
  ])
}

function numbered(events: readonly Event[]): readonly Event[] {
  return events.map((event, at) => ({ ...event, sequence_number: at }))
}

/** Codex puts tools of one kind into a namespace. */
function flat(tools: readonly Json[]): readonly Json[] {
  return tools.flatMap((tool) =>
    tool['type'] === 'namespace' ? flat(tool['tools'] as Json[]) : [tool],
  )
}

function pieces(text: string): readonly string[] {
  return text.match(/.{1,12}/gsu) ?? ['']
}

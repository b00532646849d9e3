import type { Asked, Step, ToolCall } from './script.ts'
import { callTool, pieces, plainAnswer } from './script.ts'
import type { Spoken } from './speak-anthropic.ts'

/**
 * The OpenAI Responses format, spoken as a provider; the same events by SSE and WebSocket.
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
export function speakResponses(
  asked: Asked,
  step: Extract<Step, { kind: 'text' | 'tool' }>,
): Spoken {
  const call = step.kind === 'tool' ? callTool(asked.tools, step.want, step.argument) : null
  const text = step.kind === 'text' ? step.text : plainAnswer
  const warmUp = asked.request['generate'] === false
  const item = call === null ? messageItem(asked.index, text) : callItem(asked.index, call)
  const response = {
    id: `resp_sample_${asked.index}`,
    object: 'response',
    created_at: 1,
    model: asked.model,
    status: 'completed',
    error: null,
    output: warmUp ? [] : [item],
    usage: {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: warmUp ? 0 : 8,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: warmUp ? 10 : 18,
    },
  }
  const begun = { ...response, status: 'in_progress', output: [], usage: null }
  const said = warmUp
    ? []
    : call === null
      ? textEvents(item, text, step.kind === 'text' ? (step.chunks ?? 1) : 1)
      : callEvents(item, call)
  const events = [
    { type: 'response.created', response: begun },
    { type: 'response.in_progress', response: begun },
    ...said,
    { type: 'response.completed', response },
  ]
  return {
    document: JSON.stringify(response),
    events: events.map(({ type, ...rest }, sequence_number) => [
      type,
      JSON.stringify({ type, sequence_number, ...rest }),
    ]),
  }
}

type Item = Readonly<Record<string, unknown>>
type Event = { readonly type: string } & Item

function messageItem(index: number, text: string): Item {
  return {
    type: 'message',
    id: `msg_sample_${index}`,
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text, annotations: [] }],
  }
}

function callItem(index: number, call: ToolCall): Item {
  const ids = { id: `fc_sample_${index}`, call_id: `call_sample_${index}`, status: 'completed' }
  if (call.type === 'local_shell') return { type: 'local_shell_call', ...ids, action: call.input }
  return { type: 'function_call', ...ids, name: call.name, arguments: JSON.stringify(call.input) }
}

function textEvents(item: Item, text: string, chunks: number): Event[] {
  const at = { item_id: item['id'], output_index: 0, content_index: 0 }
  const part = { type: 'output_text', text, annotations: [] }
  return [
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { ...item, status: 'in_progress', content: [] },
    },
    { type: 'response.content_part.added', ...at, part: { ...part, text: '' } },
    ...pieces(text, chunks).map((delta) => ({ type: 'response.output_text.delta', ...at, delta })),
    { type: 'response.output_text.done', ...at, text },
    { type: 'response.content_part.done', ...at, part },
    { type: 'response.output_item.done', output_index: 0, item },
  ]
}

function callEvents(item: Item, call: ToolCall): Event[] {
  const added = { ...item, status: 'in_progress' }
  const done = { type: 'response.output_item.done', output_index: 0, item }
  if (call.type === 'local_shell') {
    return [{ type: 'response.output_item.added', output_index: 0, item: added }, done]
  }
  const at = { item_id: item['id'], output_index: 0 }
  const words = JSON.stringify(call.input)
  return [
    { type: 'response.output_item.added', output_index: 0, item: { ...added, arguments: '' } },
    { type: 'response.function_call_arguments.delta', ...at, delta: words },
    { type: 'response.function_call_arguments.done', ...at, arguments: words },
    done,
  ]
}

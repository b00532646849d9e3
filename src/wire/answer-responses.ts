import type { BlockKind } from '#words/content.ts'
import { count, everyString, fields, list, word } from './answer-sink.ts'
import type { AnswerSink, Fields } from './answer-sink.ts'

const itemKinds: ReadonlyMap<string, BlockKind> = new Map([
  ['message', 'assistant-text'],
  ['reasoning', 'thinking'],
  ['function_call', 'tool-use'],
  ['custom_tool_call', 'tool-use'],
  ['local_shell_call', 'tool-use'],
  ['web_search_call', 'tool-use'],
  ['mcp_call', 'tool-use'],
])

const deltaKinds: readonly (readonly [RegExp, BlockKind])[] = [
  [/^response\.(output_text|refusal)\./, 'assistant-text'],
  [/^response\.reasoning/, 'thinking'],
  [/arguments|_input\.|_call_/, 'tool-use'],
]

const sealed = new Set(['encrypted_content', 'result', 'partial_image_b64', 'obfuscation'])

/**
 * One event of a streamed answer, by SSE or WebSocket. What a delta said is repeated by `.done`,
 * `output_item.done` and `completed`: the copies are read only where no delta came before.
 *
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
export function readResponsesEvent(event: unknown, sink: AnswerSink): void {
  const said = fields(event)
  const type = word(said['type'])
  if (said['response'] !== undefined) head(said['response'], sink)
  if (type.endsWith('.delta')) {
    const kind = deltaKinds.find(([name]) => name.test(type))?.[1] ?? 'unknown'
    everyString(said['delta'], (text) => sink.text(blockName(said, type), kind, text))
  } else if (type === 'response.output_item.done') {
    // The whole item once more: clients keep this copy, so it is read whatever the deltas were.
    const name = String(said['output_index'])
    item(`item ${name}`, said['item'], sink)
    sink.copied(`delta ${name} `, `item ${name}`)
  } else if (type === 'error' || type === 'response.failed') sink.told.stopReason = 'error'
  else if (type === 'response.completed') sink.told.stopReason ||= 'completed'
}

/** A whole answer, not streamed. */
export function readResponsesObject(response: unknown, sink: AnswerSink): void {
  head(response, sink)
  list(fields(response)['output']).forEach((entry, index) => {
    item(`item ${index}`, entry, sink)
    sink.done(`item ${index}`)
  })
}

function head(response: unknown, sink: AnswerSink): void {
  const said = fields(response)
  sink.told.responseId = word(said['id']) || sink.told.responseId
  sink.told.model = word(said['model']) || sink.told.model
  const status = word(said['status'])
  const reason = word(fields(said['incomplete_details'])['reason'])
  if (status !== '' && status !== 'in_progress' && status !== 'queued') {
    sink.told.stopReason = reason || status
  }
  const usage = fields(said['usage'])
  sink.told.inputTokens = count(usage['input_tokens'], sink.told.inputTokens)
  sink.told.outputTokens = count(usage['output_tokens'], sink.told.outputTokens)
}

function item(name: string, value: unknown, sink: AnswerSink): void {
  const { type, id: _id, call_id: _call, status: _status, ...parts } = fields(value)
  const kind = itemKinds.get(word(type)) ?? 'unknown'
  for (const [key, part] of Object.entries(parts)) {
    if (sealed.has(key)) continue
    everyString(part, (text) => sink.text(name, kind, text))
  }
}

function blockName(said: Fields, type: string): string {
  const part = String(said['content_index'] ?? said['summary_index'])
  return `delta ${String(said['output_index'])} ${part} ${type}`
}

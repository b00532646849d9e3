import type { BlockKind } from '#words/content.ts'
import { count, everyString, fields, list, word } from './answer-sink.ts'
import type { AnswerSink } from './answer-sink.ts'

const kinds: ReadonlyMap<string, BlockKind> = new Map([
  ['text', 'assistant-text'],
  ['thinking', 'thinking'],
  ['tool_use', 'tool-use'],
  ['server_tool_use', 'tool-use'],
  ['mcp_tool_use', 'tool-use'],
  ['web_search_tool_result', 'tool-result'],
  ['web_fetch_tool_result', 'tool-result'],
  ['mcp_tool_result', 'tool-result'],
])

/** Ciphertext: there is nothing to read in it. */
const sealed = new Set(['signature', 'data', 'encrypted_content', 'encrypted_index'])

/** One event of a streamed answer. https://docs.anthropic.com/en/api/messages-streaming */
export function readAnthropicEvent(event: unknown, sink: AnswerSink): void {
  const { type, index, message, delta, usage, content_block: block } = fields(event)
  const name = String(index)
  if (type === 'message_start') head(message, sink)
  else if (type === 'content_block_start') content(name, block, sink)
  else if (type === 'content_block_delta') {
    const { type: kind, ...parts } = fields(delta)
    for (const [key, value] of Object.entries(parts)) {
      if (sealed.has(key)) continue
      everyString(value, (text) => sink.text(name, deltaKind(kind), text))
    }
  } else if (type === 'content_block_stop') sink.done(name)
  else if (type === 'message_delta') {
    sink.told.stopReason = word(fields(delta)['stop_reason']) || sink.told.stopReason
    tokens(usage, sink)
  } else if (type === 'error') sink.told.stopReason = 'error'
}

/** A whole answer, not streamed. */
export function readAnthropicMessage(message: unknown, sink: AnswerSink): void {
  head(message, sink)
  const said = fields(message)
  if (said['type'] === 'error') sink.told.stopReason = 'error'
  list(said['content']).forEach((block, index) => {
    content(String(index), block, sink)
    sink.done(String(index))
  })
}

function head(message: unknown, sink: AnswerSink): void {
  const said = fields(message)
  sink.told.responseId = word(said['id']) || sink.told.responseId
  sink.told.model = word(said['model']) || sink.told.model
  sink.told.stopReason = word(said['stop_reason']) || sink.told.stopReason
  tokens(said['usage'], sink)
}

function tokens(usage: unknown, sink: AnswerSink): void {
  const said = fields(usage)
  sink.told.inputTokens = count(said['input_tokens'] ?? said['input'], sink.told.inputTokens)
  sink.told.outputTokens = count(said['output_tokens'], sink.told.outputTokens)
}

function content(name: string, block: unknown, sink: AnswerSink): void {
  const { type, id: _id, ...parts } = fields(block)
  const kind = kinds.get(word(type)) ?? 'unknown'
  for (const [key, value] of Object.entries(parts)) {
    if (sealed.has(key)) continue
    everyString(value, (text) => sink.text(name, kind, text))
  }
}

function deltaKind(type: unknown): BlockKind {
  if (type === 'text_delta') return 'assistant-text'
  if (type === 'input_json_delta') return 'tool-use'
  return type === 'thinking_delta' ? 'thinking' : 'unknown'
}

import type { Asked, Step } from './script.ts'
import { callTool, pieces, plainAnswer } from './script.ts'

/** An answer, ready to be sent: one document, or events in order. */
export type Spoken = {
  readonly document: string
  /** `type` of the event and its JSON. */
  readonly events: readonly (readonly [string, string])[]
}

/**
 * The Anthropic Messages format, spoken as a provider.
 * https://docs.anthropic.com/en/api/messages-streaming
 */
export function speakAnthropic(
  asked: Asked,
  step: Extract<Step, { kind: 'text' | 'tool' }>,
): Spoken {
  const call = step.kind === 'tool' ? callTool(asked.tools, step.want, step.argument) : null
  const text = step.kind === 'text' ? step.text : plainAnswer
  const block =
    call === null
      ? { type: 'text', text }
      : { type: 'tool_use', id: `toolu_sample_${asked.index}`, name: call.name, input: call.input }
  const usage = { input_tokens: 10, output_tokens: 8 }
  const stop = call === null ? 'end_turn' : 'tool_use'
  const message = {
    id: `msg_sample_${asked.index}`,
    type: 'message',
    role: 'assistant',
    model: asked.model,
    content: [block],
    stop_reason: stop,
    stop_sequence: null,
    usage,
  }
  const start = call === null ? { type: 'text', text: '' } : { ...block, input: {} }
  const deltas =
    call === null
      ? pieces(text, step.kind === 'text' ? (step.chunks ?? 1) : 1).map((piece) => ({
          type: 'text_delta',
          text: piece,
        }))
      : [{ type: 'input_json_delta', partial_json: JSON.stringify(call.input) }]
  const events = [
    {
      type: 'message_start',
      message: {
        ...message,
        content: [],
        stop_reason: null,
        usage: { ...usage, output_tokens: 1 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: start },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index: 0, delta })),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: stop, stop_sequence: null },
      usage: { output_tokens: 8 },
    },
    { type: 'message_stop' },
  ]
  return {
    document: JSON.stringify(message),
    events: events.map((event) => [event.type, JSON.stringify(event)] as const),
  }
}

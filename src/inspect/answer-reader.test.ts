import { expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import { asked } from '#wire/script.ts'
import { speakAnthropic } from '#wire/speak-anthropic.ts'
import { speakResponses } from '#wire/speak-responses.ts'
import type { AnswerSummary } from './answer-reader.ts'
import { createInspector } from './inspector.ts'
import { sampleExchange } from './sample-exchange.ts'

const hidden = 'Grüße 👩‍💻 a\u200bb and \u{e0041}\u{e0042} done'
const wires = ['anthropic-messages', 'openai-responses'] as const

function answers(wire: (typeof wires)[number], chunks: number) {
  const question = asked(wire, { model: 'm' }, 3, true)
  const speak = wire === 'anthropic-messages' ? speakAnthropic : speakResponses
  const spoken = speak(question, { kind: 'text', text: hidden, chunks })
  return {
    document: Buffer.from(spoken.document),
    stream: Buffer.from(
      spoken.events.map(([type, data]) => `event: ${type}\ndata: ${data}\n\n`).join(''),
    ),
    frames: spoken.events.map(([, data]) => Buffer.from(data)),
  }
}

function read(
  wire: (typeof wires)[number],
  contentType: string,
  chunks: readonly Buffer[],
): AnswerSummary {
  const inspector = createInspector({ world: realWorld })
  const exchange = sampleExchange('{"model":"m"}', { wire })
  const content = inspector.inspect(exchange, 'c')
  const reader = inspector.readAnswer(exchange, content, { status: 200, contentType, encoding: '' })
  for (const chunk of chunks) reader.write(chunk)
  return reader.end()
}

const expected = {
  inputTokens: 10,
  outputTokens: 8,
  model: 'm',
  broken: '',
  findings: { 'hidden-unicode/zero-width': 1, 'hidden-unicode/tag-characters': 2 },
}

test.each(wires)('%s: a stream split at any byte reads as the whole', (wire) => {
  const { stream } = answers(wire, 40)
  for (let at = 0; at <= stream.length; at += 7) {
    const summary = read(wire, 'text/event-stream', [stream.subarray(0, at), stream.subarray(at)])
    expect(summary).toMatchObject(expected)
    expect(summary.bytes).toBe(stream.length)
  }
  const bytes = Array.from(stream, (byte) => Buffer.of(byte))
  expect(read(wire, 'text/event-stream; charset=utf-8', bytes)).toMatchObject(expected)
  const crlf = Buffer.from(stream.toString().replaceAll('\n', '\r\n'))
  expect(read(wire, 'text/event-stream', [crlf])).toMatchObject(expected)
})

test.each(wires)('%s: a document reads the same', (wire) => {
  const { document } = answers(wire, 1)
  const summary = read(wire, 'application/json', [document.subarray(0, 9), document.subarray(9)])
  expect(summary).toMatchObject(expected)
})

test('WebSocket frames read the same', () => {
  const { frames } = answers('openai-responses', 5)
  const summary = read('openai-responses', 'websocket', frames)
  expect(summary).toMatchObject({
    ...expected,
    stopReason: 'completed',
    responseId: 'resp_sample_3',
  })
})

test('hidden text in the arguments of a tool call is found', () => {
  const tools = [{ name: 'Bash', input_schema: { properties: { command: { type: 'string' } } } }]
  const question = asked('anthropic-messages', { model: 'm', tools }, 0, true)
  const step = { kind: 'tool', want: 'command', argument: 'ls \u202e' } as const
  const spoken = speakAnthropic(question, step)
  const stream = Buffer.from(spoken.events.map(([, data]) => `data: ${data}\n\n`).join(''))
  const summary = read('anthropic-messages', 'text/event-stream', [stream])
  expect(summary.findings).toEqual({ 'hidden-unicode/bidi-control': 1 })
  expect(summary.stopReason).toBe('tool_use')
})

test('an answer that is no JSON or breaks off says so', () => {
  expect(
    read('anthropic-messages', 'text/event-stream', [Buffer.from('data: {oops\n\n')]).broken,
  ).toBe('answer-not-json')
  expect(read('openai-responses', 'application/json', [Buffer.from('{"id":')]).broken).toBe(
    'answer-not-json',
  )
})

test('an increment whose context did not pass here says so; one that did belongs to it', () => {
  const inspector = createInspector({ world: realWorld })
  const ask = (previous: string) =>
    sampleExchange(
      JSON.stringify({ type: 'response.create', previous_response_id: previous, input: [] }),
      {
        wire: 'openai-responses',
        transport: 'websocket',
      },
    )
  const stranger = inspector.inspect(ask('resp_sample_3'), 'c')
  expect(stranger.coverage.skipped).toEqual({ 'context-not-known': 1 })
  const reader = inspector.readAnswer(ask(''), stranger, {
    status: 200,
    contentType: 'websocket',
    encoding: '',
  })
  for (const frame of answers('openai-responses', 1).frames) reader.write(frame)
  reader.end()
  const known = inspector.inspect(ask('resp_sample_3'), 'c')
  expect(known.coverage.skipped).toEqual({})
  expect([known.conversation, known.firstTurn]).toEqual([stranger.conversation, false])
  expect(inspector.inspect(ask('resp_sample_3'), 'another caller').coverage.skipped).toEqual({
    'context-not-known': 1,
  })
})

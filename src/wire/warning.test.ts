import { expect, test } from 'vitest'
import { asked } from './script.ts'
import type { Step } from './script.ts'
import { speakAnthropic } from './speak-anthropic.ts'
import { speakResponses } from './speak-responses.ts'
import { createWarner } from './warning.ts'

const M = 'Postern: "Codex" is prohibited from 2026-12-01. Größe \\ end.'
const wires = ['anthropic-messages', 'openai-responses'] as const
const tools = [{ name: 'Bash', input_schema: { properties: { command: {} } } }]

function spoken(wire: (typeof wires)[number], step: Extract<Step, { kind: 'text' | 'tool' }>) {
  const speak = wire === 'anthropic-messages' ? speakAnthropic : speakResponses
  const { document, events } = speak(asked(wire, { model: 'm', tools }, 0, true), step)
  const lines = events.map(([type, data]) => `event: ${type}\ndata: ${data}\n\n`)
  return { document: Buffer.from(document), stream: Buffer.from(lines.join('')), events }
}

function warned(wire: (typeof wires)[number], stream: boolean, chunks: readonly Buffer[]) {
  const warner = createWarner({ wire, tool: 'codex', message: M, stream })
  const out = chunks.map((chunk) => warner.write(chunk))
  return { text: Buffer.concat([...out, warner.end()]).toString(), added: warner.added }
}

const escaped = JSON.stringify(`${M}\n\n`).slice(1, -1)

test.each(wires)('%s: the warning is spliced in once per copy, all else byte for byte', (wire) => {
  const answer = spoken(wire, { kind: 'text', text: 'Hello there, all of you.', chunks: 6 })
  const copies = wire === 'anthropic-messages' ? 1 : 5
  for (let at = 0; at <= answer.stream.length; at += 3) {
    const { text, added } = warned(wire, true, [
      answer.stream.subarray(0, at),
      answer.stream.subarray(at),
    ])
    expect(added).toBe(true)
    expect(text.split(escaped)).toHaveLength(copies + 1)
    expect(text.replaceAll(escaped, '')).toBe(answer.stream.toString())
  }
  const single = Array.from(answer.stream, (byte) => Buffer.of(byte))
  expect(warned(wire, true, single).text.replaceAll(escaped, '')).toBe(answer.stream.toString())
})

test.each(wires)('%s: every copy reads the same to the client', (wire) => {
  const answer = spoken(wire, { kind: 'text', text: 'Hello there.', chunks: 3 })
  const { text } = warned(wire, true, [answer.stream])
  const events = text
    .split('\n\n')
    .filter(Boolean)
    .map(
      (event) =>
        JSON.parse(event.split('\ndata: ')[1] as string) as {
          type: string
          delta?: string | { text?: string }
          text?: string
          response?: { output: { content: { text: string }[] }[] }
        },
    )
  const said = events
    .filter(({ type }) => type.endsWith('delta') && type !== 'message_delta')
    .map(({ delta }) => (typeof delta === 'string' ? delta : (delta?.text ?? '')))
    .join('')
  expect(said).toBe(`${M}\n\nHello there.`)
  if (wire === 'anthropic-messages') return
  expect(events.find(({ type }) => type === 'response.output_text.done')?.text).toBe(said)
  expect(events.at(-1)?.response?.output[0]?.content[0]?.text).toBe(said)
})

test.each(wires)('%s: a document gets it in its first text', (wire) => {
  const { document } = spoken(wire, { kind: 'text', text: 'Hello.' })
  const { text, added } = warned(wire, false, [document.subarray(0, 20), document.subarray(20)])
  expect(added).toBe(true)
  expect(text.replace(escaped, '')).toBe(document.toString())
  expect(text).toContain(`${escaped}Hello.`)
})

test.each(wires)('%s: an answer without text is left alone and says so', (wire) => {
  const answer = spoken(wire, { kind: 'tool', want: 'command', argument: 'ls' })
  for (const [stream, bytes] of [
    [true, answer.stream],
    [false, answer.document],
  ] as const) {
    expect(warned(wire, stream, [bytes])).toEqual({ text: bytes.toString(), added: false })
  }
})

test('frames of a WebSocket get the same words', () => {
  const { events } = spoken('openai-responses', { kind: 'text', text: 'Hello.' })
  const warner = createWarner({ wire: 'openai-responses', tool: 'codex', message: M, stream: true })
  const out = events.map(([, data]) => warner.frame(Buffer.from(data)).toString())
  expect(out.join('\n').split(escaped)).toHaveLength(6)
  expect(out.map((frame) => frame.replaceAll(escaped, ''))).toEqual(events.map(([, data]) => data))
})

test('what is not the wire passes as it is', () => {
  for (const text of [
    'data: {oops\n\n',
    ': ping\n\n',
    'data: {"type":"x"}\ndata: {}\n\n',
    'no events',
  ]) {
    expect(warned('anthropic-messages', true, [Buffer.from(text)])).toEqual({ text, added: false })
  }
})

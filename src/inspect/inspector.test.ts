import { expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import { createInspector } from './inspector.ts'
import { sampleExchange } from './sample-exchange.ts'

const inspect = (body: string | Buffer, given = {}) =>
  createInspector({ world: realWorld }).inspect(sampleExchange(body, given), 'caller')

test('a finding tells its place and bytes, never its value', () => {
  const body = JSON.stringify({
    messages: [
      { role: 'user', content: 'fine' },
      {
        role: 'user',
        content: [{ type: 'tool_result', content: [{ type: 'text', text: 'a\u200bb' }] }],
      },
    ],
    tools: [{ input_schema: { properties: { 'odd/\u202ekey': { description: 'x\u2063' } } } }],
  })
  const bytes = Buffer.from(body)
  const { findings } = inspect(body)
  expect(findings.map(({ rule, place, block }) => [rule, place, block])).toEqual([
    ['zero-width', '/messages/1/content/0/content/0/text', 'tool-result'],
    ['bidi-control', '/tools/0/input_schema/properties', 'tool-definition'],
    [
      'invisible-separator',
      '/tools/0/input_schema/properties/odd~1\u202ekey/description',
      'tool-definition',
    ],
  ])
  expect(findings.map(({ start, end }) => bytes.toString('utf8', start, end))).toEqual([
    '\u200b',
    '\u202e',
    '\u2063',
  ])
})

test('a key of the request itself is looked at', () => {
  const { findings, coverage } = inspect('{"a\u200bb":1,"messages":[]}')
  expect(findings).toMatchObject([{ rule: 'zero-width', block: 'unknown' }])
  expect(coverage.unknownBlocks).toBe(0)
})

test('what is not JSON is walked as text and refused under enforce', () => {
  const content = inspect('{"messages":[{"role":"user","content":"ok"}, oops \u{e0041}')
  expect(content.ambiguous).toContain('no JSON value')
  expect(content.findings).toMatchObject([{ rule: 'tag-characters', block: 'unknown' }])
  expect(content.coverage.bytesInspected).toBe(content.coverage.bytesSeen)
})

test('reads model, stream, structure and background from the settings', () => {
  expect(inspect('{"model":"claude-x","stream":true,"messages":[]}')).toMatchObject({
    model: 'claude-x',
    stream: true,
    structured: false,
    background: false,
  })
  expect(
    inspect('{"output_config":{"effort":"low","format":{"type":"json_schema"}}}').structured,
  ).toBe(true)
  expect(inspect('{"output_config":{"effort":"low"}}').structured).toBe(false)
  expect(inspect('{"max_tokens":1,"messages":[]}').background).toBe(true)
  expect(inspect('{"messages":[]}', { purpose: 'count' }).background).toBe(true)
  const wire = 'openai-responses'
  expect(inspect('{"text":{"format":{"type":"json_schema"}}}', { wire }).structured).toBe(true)
  expect(
    inspect('{"text":{"verbosity":"low","format":{"type":"text"}}}', { wire }).structured,
  ).toBe(false)
  expect(inspect('{"type":"response.create","generate":false}', { wire })).toMatchObject({
    stream: true,
    background: true,
  })
})

test('nothing to read, and what is not read, say so', () => {
  expect(inspect('').coverage).toMatchObject({ blocksSeen: 0, skipped: {} })
  expect(inspect('x', { wire: 'opaque' }).coverage).toMatchObject({
    blocksSeen: 1,
    blocksInspected: 0,
    skipped: { 'opaque-endpoint': 1 },
  })
})

test('conversations are told apart by session, caller and first words', () => {
  const inspector = createInspector({ world: realWorld })
  const ask = (text: string, caller: string, session: string) =>
    inspector.inspect(
      sampleExchange(JSON.stringify({ messages: [{ role: 'user', content: text }] }), {
        rawHeaders: ['X-Claude-Code-Session-Id', session],
      }),
      caller,
    )
  const first = ask('the first words of a long talk', 'a', 's1')
  expect(first.conversation).toMatch(/^[0-9a-f]{32}$/)
  expect(ask('the first words of a long talk', 'a', 's1').conversation).toBe(first.conversation)
  for (const other of [
    ask('the first words of a long talk', 'b', 's1'),
    ask('the first words of a long talk', 'a', 's2'),
    ask('other words from their very start on', 'a', 's1'),
  ]) {
    expect(other.conversation).not.toBe(first.conversation)
    expect(other.firstTurn).toBe(true)
  }
})

test('findings are bounded, and many of them cost one reading', () => {
  const messages = Array.from({ length: 2000 }, () => ({
    role: 'user',
    content: 'x\u200b'.repeat(50),
  }))
  const startMs = performance.now()
  expect(inspect(JSON.stringify({ messages })).findings).toHaveLength(256)
  const one = { role: 'user', content: messages.map(() => ({ type: 'text', text: 'x\u200b' })) }
  expect(inspect(JSON.stringify({ messages: [one] })).findings).toHaveLength(256)
  expect(performance.now() - startMs).toBeLessThan(1000)
})

test('a detector that throws is a failed inspection, not a clean one', () => {
  const inspector = createInspector({
    world: realWorld,
    detectors: [
      {
        id: 'broken',
        version: '1',
        wanted: -1,
        inspect: () => {
          throw new RangeError('a rule broke')
        },
        stream: () => ({ write: () => {}, end: () => ({}) }),
      },
    ],
  })
  expect(() => inspector.inspect(sampleExchange('{"system":"x"}'), 'c')).toThrow('a rule broke')
})

test('retained bodies stay within their bound', () => {
  const inspector = createInspector({ world: realWorld, retainedBytesMax: 200_000 })
  const ask = (at: number) =>
    inspector.inspect(
      sampleExchange(
        JSON.stringify({ messages: [{ role: 'user', content: `${at} ${'y'.repeat(20_000)}` }] }),
      ),
      'c',
    )
  const first = ask(0).conversation
  expect(ask(0).conversation).toBe(first)
  for (let at = 1; at < 20; at++) ask(at)
  expect(ask(0).conversation).not.toBe(first)
})

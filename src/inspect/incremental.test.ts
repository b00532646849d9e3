import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import type { Content } from '#words/content.ts'
import { createInspector } from './inspector.ts'
import { sampleExchange } from './sample-exchange.ts'

// A sender who knows how bodies are compared must not be able to have new bytes taken for old
// ones: whatever came before, the result is that of a walk from the first byte.

const words = fc.constantFrom(
  'hello',
  'a\u200bb',
  'tag\u{e0041}\u{e0042}',
  '\u202eevil',
  'line\nline "quoted" \\',
  '⚠️ fine',
  '👩‍💻',
  '{"type":"text"}',
  '"],"system":"x',
  "it’s and it's",
  'データ',
  '',
)
const mark = fc.option(fc.constant({ cache_control: { type: 'ephemeral' } }), { nil: {} })
const part = fc.oneof(
  fc.record({ type: fc.constant('text'), text: words }),
  fc.record({
    text: words,
    type: fc.constant('thinking'),
    signature: fc.constant('QUJD'.repeat(9)),
  }),
  fc.record({
    type: fc.constant('tool_result'),
    tool_use_id: fc.constant('t1'),
    content: fc.oneof(words, fc.array(fc.record({ type: fc.constant('text'), text: words }))),
  }),
  fc.record({
    type: fc.constantFrom('image', 'newer_type'),
    source: fc.record({ type: fc.constant('base64'), data: fc.constant('QUJD'.repeat(8)) }),
  }),
  fc.record({ type: fc.constant('tool_use'), input: fc.dictionary(words, words) }),
)
const message = fc
  .record({
    role: fc.constantFrom('user', 'assistant'),
    content: fc.oneof(
      words,
      fc.array(
        fc.tuple(part, mark).map(([one, two]) => ({ ...one, ...two })),
        { maxLength: 3 },
      ),
    ),
  })
  .chain((value) =>
    fc.boolean().map((turned) => (turned ? { content: value.content, role: value.role } : value)),
  )
const request = fc.record({
  model: fc.constantFrom('m', 'model-2'),
  messages: fc.array(message, { maxLength: 6 }),
  system: fc.oneof(
    words,
    fc.array(fc.record({ type: fc.constant('text'), text: words }), { maxLength: 3 }),
  ),
  tools: fc.array(
    fc.record({
      name: words,
      description: words,
      input_schema: fc.json().map((text) => JSON.parse(text) as unknown),
    }),
    { maxLength: 3 },
  ),
  max_tokens: fc.integer(),
  metadata: fc.dictionary(fc.string(), words, { maxKeys: 2 }),
})

type Edit = {
  kind: 'insert' | 'delete' | 'replace' | 'copy'
  at: number
  length: number
  text: string
}
const edit: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom('insert' as const, 'delete' as const, 'replace' as const, 'copy' as const),
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.nat(40),
  text: fc.constantFrom(
    'x',
    '"',
    '\\',
    '{',
    '}',
    ',',
    '[',
    ']',
    ' ',
    '1',
    '\u200b',
    '\ufeff',
    '\\u200b',
    ',"role":"user"',
    '},{',
    '"a":1,',
    ':',
  ),
})

function apply(body: Buffer, edits: readonly Edit[]): Buffer {
  let out = body
  for (const { kind, at, length, text } of edits) {
    const from = Math.floor(at * out.length)
    const to = kind === 'insert' ? from : Math.min(out.length, from + length)
    const middle =
      kind === 'delete'
        ? ''
        : kind === 'copy'
          ? Buffer.concat([out.subarray(from, to), out.subarray(from, to)])
          : text
    out = Buffer.concat([out.subarray(0, from), Buffer.from(middle), out.subarray(to)])
  }
  return out
}

function comparable(content: Content): unknown {
  const { bytesResumed: _, ...coverage } = content.coverage
  return { ...content, coverage, conversation: '', firstTurn: false }
}

function check(bodies: readonly Buffer[]): number {
  const used = createInspector({ world: realWorld })
  let resumed = 0
  for (const body of bodies) {
    const fresh = createInspector({ world: realWorld }).inspect(sampleExchange(body), 'caller')
    const grown = used.inspect(sampleExchange(body), 'caller')
    resumed += grown.coverage.bytesResumed
    expect(comparable(grown)).toEqual(comparable(fresh))
  }
  return resumed
}

test('bytes broken at random are read as if nothing had come before', () => {
  let resumed = 0
  fc.assert(
    fc.property(
      request,
      fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }),
      (value, turns) => {
        const bodies: Buffer[] = [Buffer.from(JSON.stringify(value))]
        for (const edits of turns)
          bodies.push(apply(bodies.at(-1) as Buffer, edits), bodies[0] as Buffer)
        resumed += check(bodies)
      },
    ),
    { numRuns: 600 },
  )
  expect(resumed).toBeGreaterThan(10_000)
})

test('conversations that grow, lose marks and change settings are read the same', () => {
  let resumed = 0
  fc.assert(
    fc.property(request, fc.array(message, { maxLength: 5 }), request, (first, later, other) => {
      const bodies: Buffer[] = []
      const messages = [...first.messages]
      for (const next of [...later, null]) {
        bodies.push(Buffer.from(JSON.stringify({ ...first, messages })))
        if (next !== null) messages.push(next)
        if (bodies.length === 2) Object.assign(first, { system: other.system })
        if (bodies.length === 3)
          Object.assign(first, { tools: other.tools, metadata: other.metadata })
        bodies.push(Buffer.from(JSON.stringify({ ...first, messages, late: 1 }, null, 1)))
      }
      resumed += check(bodies)
    }),
    { numRuns: 300 },
  )
  expect(resumed).toBeGreaterThan(10_000)
})

test('a turn takes over what it repeats, in front and behind what is new', () => {
  const inspector = createInspector({ world: realWorld })
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'x'.repeat(5000) }] }]
  const body = (): Buffer =>
    Buffer.from(
      JSON.stringify({
        model: 'm',
        messages,
        system: 's'.repeat(3000),
        tools: [{ name: 't'.repeat(2000) }],
      }),
    )
  const first = inspector.inspect(sampleExchange(body()), 'c')
  messages.push({ role: 'assistant', content: [{ type: 'text', text: 'new' }] })
  const second = inspector.inspect(sampleExchange(body()), 'c')
  expect(first.coverage.bytesResumed).toBe(0)
  expect(second.coverage.bytesResumed).toBeGreaterThan(10_000)
  expect(second.conversation).toBe(first.conversation)
  expect([first.firstTurn, second.firstTurn]).toEqual([true, false])
})

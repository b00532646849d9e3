import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { textFlag } from './json-classes.ts'
import { decodeString } from './json-text.ts'
import { BodyVisitor } from './visit.ts'
import type { ReadableWire } from './visit.ts'

function walk(body: string | Buffer, wire: ReadableWire = 'anthropic-messages') {
  const seen: [string, string][] = []
  const raw: string[] = []
  const visited = new BodyVisitor<never>().visit(
    wire,
    Buffer.from(body),
    {
      wanted: -1,
      text: (kind, buf, start, end) => seen.push([kind, decodeString(buf, start, end)]),
      raw: (buf, start, end) => raw.push(buf.toString('utf8', start, end)),
      take: () => null,
    },
    null,
  )
  return { seen, raw, ...visited }
}

test('agrees with JSON.parse about what is JSON, and walks every string', () => {
  const strings = (value: unknown): string[] =>
    typeof value === 'string'
      ? [value]
      : typeof value === 'object' && value !== null
        ? Object.values(value).flatMap(strings)
        : []
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.nat(),
      fc.string(),
      (value, at, put) => {
        const text = JSON.stringify(value)
        const whole = walk(text)
        expect(whole.broken).toBe(null)
        const said = whole.seen.map(([, words]) => words)
        for (const word of strings(value)) if (word !== '') expect(said).toContain(word)
        const cut = at % (text.length + 1)
        const broken = text.slice(0, cut) + put + text.slice(cut)
        let parses = true
        try {
          JSON.parse(broken)
        } catch {
          parses = false
        }
        const again = walk(broken)
        expect(again.broken === null && !again.ambiguous?.startsWith('bytes after')).toBe(parses)
        // What stopped being JSON is handed over all the same, to the last byte.
        if (again.broken !== null) expect(broken.endsWith(again.raw.at(-1) ?? '?')).toBe(true)
      },
    ),
    { numRuns: 1500 },
  )
})

test.each([
  ['{"a":1,"a":2}', 'twice'],
  ['{"a":1,"\\u0061":2}', 'twice'],
  ['{"x":{"b":[],"b":1}}', 'twice'],
  ['{"a":"\\ud800"}', 'surrogate'],
  ['{"a":"\\udc00\\ud800"}', 'surrogate'],
  ['\ufeff{}', 'byte order mark'],
  ['{} x', 'after the end'],
  ['{"a":1e999}', 'range'],
  ['{"max_tokens":9007199254740993}', 'range'],
  [Buffer.from('7b2261223a22c0af227d', 'hex'), 'UTF-8'],
  [Buffer.from('7b2261223a22eda080227d', 'hex'), 'UTF-8'],
])('%s is ambiguous', (body, why) => {
  expect(walk(body).ambiguous).toContain(why)
})

test.each([
  '{"a":01}',
  '{"a":+1}',
  '{"a":.5}',
  '{"a":1.}',
  '{"a":tru}',
  '{"a":"\u0001"}',
  '{"a":"\\x41"}',
  "{'a':1}",
  '{"a":1,}',
  '{"a"',
  '[]',
  '',
  `{"a":${'['.repeat(300)}${']'.repeat(300)}}`,
  '{"a":NaN}',
  '{"a":1}'.replace('1', '\u00001'),
])('%s is not a request', (body) => {
  expect(walk(body).broken).not.toBe(null)
})

test('a million keys in one object take no quadratic time', () => {
  const keys = Array.from({ length: 200_000 }, (_, at) => `"k${at}":0`)
  const startMs = performance.now()
  expect(walk(`{"x":{${keys.join(',')}}}`).ambiguous).toBe(null)
  expect(walk(`{"x":{${keys.join(',')},"k7":0}}`).ambiguous).toContain('twice')
  expect(performance.now() - startMs).toBeLessThan(2000)
})

test('every block of an Anthropic request has its kind, whatever the order of keys', () => {
  const data = 'QUJD'.repeat(20)
  const { seen, members } = walk(
    JSON.stringify({
      model: 'm',
      messages: [
        { content: 'plain', role: 'user' },
        {
          content: [
            { text: 'said', type: 'text' },
            { type: 'thinking', thinking: 'thought', signature: data },
            { type: 'redacted_thinking', data },
            { input: { deep: { arg: 'used' } }, type: 'tool_use', name: 'Read' },
          ],
          role: 'assistant',
        },
        {
          role: 'user',
          content: [
            { type: 'tool_result', content: [{ type: 'text', text: 'result' }] },
            { type: 'tool_result', content: 'flat' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data } },
            { source: { data, type: 'base64' }, type: 'tool_use' },
            { type: 'document', source: { type: 'text', data: 'the document' } },
            { type: 'not_yet_known', words: 'strange' },
          ],
        },
      ],
      system: [{ type: 'text', text: 'rules' }],
      tools: [{ name: 't', description: 'describes', input_schema: { title: 'schema' } }],
      surprise: { hidden: 'unknown' },
    }),
  )
  const kinds = Object.fromEntries(seen.map(([kind, words]) => [words, kind]))
  expect(kinds).toMatchObject({
    plain: 'user-text',
    said: 'assistant-text',
    thought: 'thinking',
    used: 'tool-use',
    result: 'tool-result',
    flat: 'tool-result',
    'the document': 'document',
    strange: 'unknown',
    rules: 'system',
    describes: 'tool-definition',
    schema: 'tool-definition',
    unknown: 'unknown',
    m: 'metadata',
    // Base64 that no image or ciphertext stands behind is text.
    [data]: 'tool-use',
  })
  const units = members.flatMap((member) => member.units)
  const sum = (take: (unit: (typeof units)[number]) => number): number =>
    units.reduce((total, unit) => total + take(unit), 0)
  expect(sum((unit) => unit.blocksSeen)).toBe(15)
  expect(sum((unit) => unit.blocksInspected)).toBe(13)
  expect(sum((unit) => unit.unknownBlocks)).toBe(2)
  expect(units.map((unit) => unit.skipped).filter(Boolean)).toEqual([
    { 'encrypted-thinking': 2 },
    { 'image-bytes': 1 },
  ])
})

test('every item of a Responses request has its kind', () => {
  const url = `data:image/png;base64,${'QUJD'.repeat(20)}`
  const { seen, members } = walk(
    JSON.stringify({
      instructions: 'rules',
      input: [
        { role: 'user', content: 'short form' },
        {
          type: 'message',
          role: 'developer',
          content: [{ type: 'input_text', text: 'developer' }],
        },
        {
          type: 'message',
          role: 'assistant',
          content: [{ type: 'output_text', text: 'said' }],
        },
        { type: 'message', role: 'user', content: [{ type: 'input_image', image_url: url }] },
        { type: 'function_call', name: 'shell', arguments: '{"cmd":"ls"}' },
        { type: 'function_call_output', output: 'flat' },
        { type: 'function_call_output', output: [{ type: 'input_text', text: 'listed' }] },
        {
          type: 'reasoning',
          summary: [{ type: 'summary_text', text: 'thought' }],
          encrypted_content: 'QUJD'.repeat(10),
        },
        { type: 'custom_tool_call', input: 'patch' },
        { type: 'local_shell_call', action: { command: ['bash', 'ls -l'] } },
        { type: 'brand_new', words: 'strange' },
      ],
      tools: [{ type: 'function', description: 'describes' }],
    }),
    'openai-responses',
  )
  const kinds = Object.fromEntries(seen.map(([kind, words]) => [words, kind]))
  expect(kinds).toMatchObject({
    rules: 'system',
    'short form': 'user-text',
    developer: 'system',
    said: 'assistant-text',
    '{"cmd":"ls"}': 'tool-use',
    flat: 'tool-result',
    listed: 'tool-result',
    thought: 'thinking',
    patch: 'tool-use',
    'ls -l': 'tool-use',
    strange: 'unknown',
    describes: 'tool-definition',
  })
  expect(kinds[url]).toBeUndefined()
  const skipped = members.flatMap(({ units }) => units.map((unit) => unit.skipped)).filter(Boolean)
  expect(skipped).toEqual([{ 'image-bytes': 1 }, { 'encrypted-thinking': 1 }])
})

test('flags tell the detector which strings are worth a second look', () => {
  const flags: number[] = []
  new BodyVisitor<never>().visit(
    'anthropic-messages',
    Buffer.from('{"system":"a\\u200bb","messages":"plain","x":"\u{e0041}","y":"\\udb40\\udc41"}'),
    {
      wanted: textFlag.hidden,
      text: (_kind, _buf, _start, _end, seen) => flags.push(seen & textFlag.hidden),
      raw: () => {},
      take: () => null,
    },
    null,
  )
  expect(flags).toEqual([4, 4, 4])
})

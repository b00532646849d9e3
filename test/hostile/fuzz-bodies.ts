import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import type { Chance } from './fuzz-chance.ts'

export type FuzzBody = { readonly body: Buffer; readonly encoding: string }

/** A plausible request, as Claude Code writes them. */
function plain(chance: Chance): string {
  const text = 'All the doors were shut but one. '.repeat(1 + chance.below(40))
  return JSON.stringify({
    model: 'claude-sonnet-4-5',
    max_tokens: 64,
    stream: chance.below(2) === 0,
    system: [{ type: 'text', text: 'You are terse.' }],
    messages: [
      { role: 'user', content: text },
      { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'sh', input: { a: 1 } }] },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: text }] },
    ],
    tools: [{ name: 'sh', input_schema: { type: 'object' } }],
  })
}

const zeros = Buffer.alloc(48 * 1024 * 1024)
const bombs: readonly FuzzBody[] = [
  { body: gzipSync(zeros), encoding: 'gzip' },
  { body: brotliCompressSync(zeros.subarray(0, 16 * 1024 * 1024)), encoding: 'br' },
  { body: zstdCompressSync(zeros), encoding: 'zstd' },
  { body: deflateSync(zeros), encoding: 'deflate' },
  { body: gzipSync(gzipSync(zeros)), encoding: 'gzip, gzip' },
]

const packers: readonly (readonly [string, (bytes: Buffer) => Buffer])[] = [
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', (bytes) => brotliCompressSync(bytes, { params: { 1: 1 } })],
  ['zstd', zstdCompressSync],
]

const shapes: readonly ((chance: Chance) => Buffer | string)[] = [
  plain,
  (chance) => plain(chance).slice(0, chance.below(400)),
  (chance) => mutated(Buffer.from(plain(chance)), chance),
  (chance) => `{"a":`.repeat(1 + chance.below(20_000)),
  (chance) => '['.repeat(1 + chance.below(50_000)),
  (chance) => `{"messages":${'['.repeat(300)}${']'.repeat(300)},"model":"m${chance.below(9)}"}`,
  (chance) => plain(chance).replace('{', '{"model":"gpt-5","model":"other",'),
  (chance) => plain(chance).replace('"model"', '"\\u006dodel"'),
  (chance) =>
    plain(chance).replace('"messages"', '"model":null,"\\u006d\\u0065ssages":[],"messages"'),
  (chance) => `${plain(chance)}${chance.of(['}', '{}', '\0', ' x', '\n\n', '//', plain(chance)])}`,
  (chance) => `${chance.of(['\uFEFF', '\0', ' \t', 'x'])}${plain(chance)}`,
  (chance) =>
    plain(chance).replaceAll('door', chance.of(['\\ud800', '\\u0000', '\\x', '\\u{1}', '\u0001'])),
  (chance) =>
    plain(chance).replaceAll('shut', chance.of(['\u200B', '\u{E0041}', '\u202E', '\uFEFF'])),
  (chance) => Buffer.concat([Buffer.from('{"model":"'), chance.bytes(200), Buffer.from('"}')]),
  (chance) => Buffer.from(plain(chance), 'utf16le'),
  (chance) => chance.bytes(chance.below(2_000)),
  (chance) =>
    `{"model":"m","messages":[{"role":"user","content":${chance.of(['1e999', '-0', '{}', 'null', '[[]]', 'NaN', '"'])}}]}`,
  (chance) => `{"input":"${'a'.repeat(chance.below(300_000))}"}`,
  () => '',
]

function mutated(bytes: Buffer, chance: Chance): Buffer {
  for (let left = 1 + chance.below(6); left > 0; left -= 1) {
    bytes[chance.below(bytes.length)] = chance.below(256)
  }
  return bytes
}

/** A body: plain or broken, now and then packed, packed wrongly, or a bomb. */
export function fuzzBody(chance: Chance): FuzzBody {
  if (chance.below(400) === 0) return chance.of(bombs)
  const shape = chance.below(2) === 0 ? plain : chance.of(shapes)
  const body = Buffer.from(shape(chance) as string)
  if (chance.below(6) !== 0) return { body, encoding: '' }
  const [encoding, pack] = chance.of(packers)
  const packed = pack(body)
  switch (chance.below(4)) {
    case 0:
      return { body: mutated(packed, chance), encoding }
    case 1:
      return { body: packed.subarray(0, chance.below(packed.length)), encoding }
    case 2:
      return { body: packed, encoding: chance.of(['gzip', 'br', 'compress', 'identity, x', '*']) }
    default:
      return { body: packed, encoding }
  }
}

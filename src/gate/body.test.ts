import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { decodeBody, readBody } from './body.ts'
import { InFlight } from './in-flight.ts'

const text = Buffer.from(JSON.stringify({ say: 'hello '.repeat(200) }))

test.each([
  ['gzip', gzipSync(text)],
  ['br', brotliCompressSync(text)],
  ['zstd', zstdCompressSync(text)],
  ['deflate', deflateSync(text)],
  ['deflate', deflateRawSync(text)],
  ['identity', text],
  ['gzip, br', brotliCompressSync(gzipSync(text))],
])('%s is undone', async (encoding, body) => {
  expect((await decodeBody(body, encoding)).equals(text)).toBe(true)
})

test('a bomb is refused by its size, an unknown encoding by its name', async () => {
  const bomb = gzipSync(Buffer.alloc(80 * 1024 * 1024))
  await expect(decodeBody(bomb, 'gzip')).rejects.toMatchObject({ code: 'body-too-large' })
  await expect(decodeBody(text, 'lz77')).rejects.toMatchObject({ code: 'request-malformed' })
  await expect(decodeBody(text, 'gzip')).rejects.toMatchObject({ code: 'request-malformed' })
})

async function read(chunks: readonly Buffer[], announced: number | null, bytesMax = 1_000) {
  const flight = new InFlight({ bytesMax: 10_000, waitMs: 20, waitersMax: 4 })
  const hold = await flight.hold(announced ?? 0)
  const stream = new PassThrough()
  const whole = readBody(stream, announced, hold, bytesMax)
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  return await whole
}

test('reads announced and unannounced bodies whole', async () => {
  const chunks = [Buffer.from('one'), Buffer.from('two')]
  expect((await read(chunks, 6)).toString()).toBe('onetwo')
  expect((await read(chunks, null)).toString()).toBe('onetwo')
  expect((await read([], 0)).length).toBe(0)
})

test('refuses what is longer than announced, shorter, or above the bound', async () => {
  const chunks = [Buffer.alloc(600), Buffer.alloc(600)]
  await expect(read(chunks, 700)).rejects.toMatchObject({ code: 'body-too-large' })
  await expect(read(chunks, null)).rejects.toMatchObject({ code: 'body-too-large' })
  await expect(read([Buffer.alloc(10)], 20)).rejects.toMatchObject({ code: 'request-malformed' })
  await expect(read([], 2_000)).rejects.toMatchObject({ code: 'body-too-large' })
})

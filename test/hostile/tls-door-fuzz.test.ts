import { once } from 'node:events'
import type { Server } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { HelloReader } from '#gate/client-hello.ts'
import { howMany } from '#test/harness/needs.ts'
import { helloFor, standTlsDoor, standUpstream } from '#test/harness/tls-door.ts'

const host = 'api.example.com'
let upstream: Server
let realHello: Buffer

beforeAll(async () => {
  upstream = await standUpstream((socket) => socket.pipe(socket))
  realHello = await helloFor(host)
})
afterAll(() => {
  upstream.close()
})

test('garbage for a hello: no crash, nothing left open, a record of each that stayed', async () => {
  const rounds = howMany({ full: 20_000, quick: 1_000 })
  const own = await standTlsDoor({ upstream, limits: { headerReadMsMax: 2_000 } })
  const random = seeded(20_261_124)
  const heapBefore = heapMb()
  let sent = 0
  let stayed = 0
  const one = async (): Promise<void> => {
    const bytes = mangled(realHello, random)
    const prefixed = random() < 0.3
    const socket = await own.dial()
    socket.resume()
    const closed = once(socket, 'close')
    if (prefixed) {
      const name = random() < 0.5 ? host : 'fuzz.tunnel.test'
      socket.write(`CONNECT ${name}:443 HTTP/1.1\r\nHost: ${name}:443\r\n\r\n`)
    }
    socket.end(bytes)
    // Some clients vanish before they could be answered; their bytes may never arrive.
    const vanishes = random() < 0.2
    if (vanishes) setTimeout(() => socket.destroy(), random() * 4)
    else if (bytes.length > 0 || prefixed) stayed++
    await closed
  }
  const lane = async (): Promise<void> => {
    while (sent < rounds) {
      sent++
      await one()
    }
  }
  await Promise.all(Array.from({ length: 24 }, lane))
  const until = performance.now() + 5_000
  while (own.door.connections > 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(own.door.connections).toBe(0)
  expect(own.records.length).toBeGreaterThanOrEqual(stayed)
  const secured = await own.secure(host)
  const get = `GET /alive HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`
  expect(await own.say(secured, get)).toMatch(/^HTTP\/1\.1 200/)
  own.records.length = 0
  own.asked.length = 0
  expect(heapMb() - heapBefore).toBeLessThan(64)
  await own.close()
})

test('the hello reader takes any bytes', () => {
  const rounds = howMany({ full: 200_000, quick: 10_000 })
  const random = seeded(7)
  const kinds: Record<string, number> = {}
  for (let round = 0; round < rounds; round++) {
    const { kind } = new HelloReader().feed(mangled(realHello, random))
    kinds[kind] = (kinds[kind] ?? 0) + 1
  }
  for (const kind of ['more', 'not-tls', 'broken', 'hello']) expect(kinds[kind]).toBeGreaterThan(0)
})

/** A hello with some of its bytes changed, cut, doubled or replaced. */
function mangled(hello: Buffer, random: () => number): Buffer {
  let bytes = Buffer.from(hello)
  const pick = (below: number): number => Math.floor(random() * below)
  const edits = pick(5)
  for (let edit = 0; edit < edits; edit++) bytes[pick(bytes.length)] = pick(256)
  switch (pick(6)) {
    case 0:
      return bytes.subarray(0, pick(bytes.length))
    case 1:
      bytes = Buffer.concat([bytes, bytes.subarray(pick(bytes.length))])
      return bytes
    case 2:
      bytes.writeUInt16BE(pick(65_536), 3)
      return bytes
    case 3:
      return Buffer.concat([Buffer.of(22, 3, pick(5)), Buffer.from(hello.subarray(pick(200)))])
    case 4: {
      const at = 5 + pick(bytes.length - 7)
      bytes.writeUInt16BE(pick(65_536), at)
      return bytes
    }
    default:
      return bytes
  }
}

/** The same sequence on every run (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

function heapMb(): number {
  collect()
  return process.memoryUsage().heapUsed / 1024 / 1024
}

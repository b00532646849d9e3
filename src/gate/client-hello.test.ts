import { connect as connectTls } from 'node:tls'
import { Duplex } from 'node:stream'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { HelloReader, helloBytesMax } from './client-hello.ts'
import type { HelloState } from './client-hello.ts'

/** The ClientHello that Node sends. */
function realHello(servername: string, ALPNProtocols: string[]): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(Buffer.from(chunk))
        done()
      },
    })
    const socket = connectTls({ socket: wire, servername, ALPNProtocols })
    socket.on('error', () => socket.destroy())
  })
}

/** The same message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5)
  const records: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const piece = message.subarray(at, at + size)
    records.push(Buffer.from([22, 3, 1, piece.length >> 8, piece.length & 255]), piece)
  }
  return Buffer.concat(records)
}

function feedIn(bytes: Buffer, size: number): HelloState {
  const reader = new HelloReader()
  let state: HelloState = { kind: 'more' }
  for (let at = 0; at < bytes.length; at += size) state = reader.feed(bytes.subarray(at, at + size))
  expect(reader.bytes.equals(bytes)).toBe(true)
  return state
}

const hello = await realHello('Api.Example.com', ['h2', 'http/1.1'])

test('reads name, ALPN and fingerprint', () => {
  const state = new HelloReader().feed(hello)
  expect(state).toMatchObject({
    kind: 'hello',
    hello: { sni: 'api.example.com', alpn: ['h2', 'http/1.1'], ech: false },
  })
  const ja4 = state.kind === 'hello' ? state.hello.ja4 : ''
  expect(ja4).toMatch(/^t13d\d\d\d\dh2_[0-9a-f]{12}_[0-9a-f]{12}$/)
})

test('reads the same from any pieces and any records', () => {
  const whole = new HelloReader().feed(hello)
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 600 }), (a, b) => {
      expect(feedIn(inRecords(hello, a), b)).toEqual(whole)
    }),
    { numRuns: 60 },
  )
})

test('every prefix wants more', () => {
  for (let length = 0; length < hello.length; length++) {
    expect(new HelloReader().feed(hello.subarray(0, length)).kind).toBe('more')
  }
})

test('sees an encrypted hello', () => {
  // Renames the session-ticket extension: any content will do for the question.
  const marked = Buffer.from(hello)
  const at = marked.indexOf(Buffer.of(0, 35, 0, 0))
  expect(at).toBeGreaterThan(0)
  marked.writeUInt16BE(0xfe0d, at)
  expect(new HelloReader().feed(marked)).toMatchObject({ kind: 'hello', hello: { ech: true } })
})

test('refuses what two servers could read differently', () => {
  const twice = Buffer.from(hello)
  const at = twice.indexOf(Buffer.of(0, 35, 0, 0))
  twice.writeUInt16BE(11, at)
  expect(new HelloReader().feed(twice)).toMatchObject({ kind: 'broken' })
  const nul = Buffer.from(hello)
  nul[nul.indexOf('Api.Example.com') + 3] = 0
  expect(new HelloReader().feed(nul)).toMatchObject({ kind: 'broken' })
  const empty = Buffer.concat([Buffer.of(22, 3, 1, 0, 0), hello])
  expect(new HelloReader().feed(empty)).toMatchObject({ kind: 'broken' })
  expect(new HelloReader().feed(Buffer.from('GET / HTTP/1.1\r\n')).kind).toBe('not-tls')
})

test('ends at its bound, and costs no more when the bytes drip', () => {
  const endless = Buffer.concat([Buffer.of(22, 3, 1, 0, 4), Buffer.of(1, 0, 255, 255)])
  const reader = new HelloReader()
  let state = reader.feed(endless)
  const crumb = Buffer.of(22, 3, 1, 0, 1, 0)
  let bytes = endless.length
  while (state.kind === 'more') {
    state = reader.feed(crumb)
    bytes += crumb.length
    expect(bytes).toBeLessThanOrEqual(helloBytesMax + crumb.length)
  }
  expect(state.kind).toBe('broken')
})

test('no bytes make it throw', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(hello.length - 1), fc.nat(255)), { maxLength: 12 }),
      fc.nat(hello.length),
      (edits, cut) => {
        const bytes = Buffer.from(hello)
        for (const [at, value] of edits) bytes[at] = value
        const state = new HelloReader().feed(bytes.subarray(0, cut === 0 ? bytes.length : cut))
        expect(['more', 'not-tls', 'broken', 'hello']).toContain(state.kind)
      },
    ),
    { numRuns: 500 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      new HelloReader().feed(Buffer.concat([Buffer.of(22, 3, 1), bytes]))
    }),
    { numRuns: 500 },
  )
})

import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { helloFor, standTlsDoor, standUpstream } from '#test/harness/tls-door.ts'
import type { Stand } from '#test/harness/tls-door.ts'
import { endHeaders, endStream, frame, h2Fields, h2Frame, preface } from './h2-frames.ts'

let stand: Stand
let upstream: Server
const host = 'api.example.com'
/** Slow clients are cut after this long here, so that a test need not wait for the real bound. */
const slowMs = 300

beforeAll(async () => {
  upstream = await standUpstream((socket) => socket.pipe(socket))
  stand = await standTlsDoor({ upstream, limits: { headerReadMsMax: slowMs } })
})
afterAll(async () => {
  await stand.close()
  upstream.close()
})

const smuggled = `GET /smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`
const post = `POST /a HTTP/1.1\r\nHost: ${host}\r\n`
const requests: Readonly<Record<string, string>> = {
  'length before chunked': `${post}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'chunked before length': `${post}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${smuggled}\r\n0\r\n\r\n`,
  'a coding that is nearly chunked': `${post}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'chunked not last': `${post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n${smuggled}`,
  'chunked twice': `${post}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${smuggled}`,
  'two lengths': `${post}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  'a list of lengths': `${post}Content-Length: 0, ${smuggled.length}\r\n\r\n${smuggled}`,
  'a signed length': `${post}Content-Length: +0\r\n\r\n${smuggled}`,
  'a length in hex': `${post}Content-Length: 0x0\r\n\r\n${smuggled}`,
  'a folded line': `${post}X-Folded: a\r\n Content-Length: 5\r\n\r\n${smuggled}`,
  'a folded coding': `${post}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  'bare LF behind a field': `${post}X-Bare: a\nContent-Length: 0\r\n\r\n${smuggled}`,
  'bare LF everywhere': `POST /a HTTP/1.1\nHost: ${host}\nContent-Length: 0\n\n${smuggled}`,
  'bare CR in a value': `${post}X-Bare: a\rContent-Length: 5\r\n\r\n${smuggled}`,
  'a space before the colon': `${post}Content-Length : 5\r\n\r\n${smuggled}`,
  'NUL in a value': `${post}X-Nul: a\u0000b\r\nContent-Length: 0\r\n\r\n${smuggled}`,
  'a chunk size that is none': `${post}Transfer-Encoding: chunked\r\n\r\nzz\r\n${smuggled}`,
  'LF in a chunk extension': `${post}Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n${smuggled}`,
  'two hosts': `GET /a HTTP/1.1\r\nHost: ${host}\r\nHost: other.test\r\n\r\n`,
  'no host': 'GET /a HTTP/1.1\r\n\r\n',
  'another host': 'GET /a HTTP/1.1\r\nHost: other.test\r\n\r\n',
  'another port': `GET /a HTTP/1.1\r\nHost: ${host}:8443\r\n\r\n`,
  'a whole URL for another host': `GET https://other.test/a HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  'bytes outside ASCII in the path': `GET /\u00e9 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
  'a tunnel inside a tunnel': 'CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n',
  'HTTP/2 without having agreed on it': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'HTTP/0.9': 'GET /a\r\n\r\n',
  'too many fields': `GET /a HTTP/1.1\r\nHost: ${host}\r\n${'A: b\r\n'.repeat(300)}\r\n`,
  'fields that are too long': `GET /a HTTP/1.1\r\nHost: ${host}\r\nA: ${'b'.repeat(70_000)}\r\n\r\n`,
  'a path that is too long': `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
}

test.each(Object.entries(requests))(
  '%s: refused inside TLS, and nothing smuggled',
  async (_, text) => {
    const before = { seen: stand.seen.length, records: stand.records.length }
    const secured = await stand.secure(host)
    const answer = await stand.say(secured, Buffer.from(text, 'latin1'))
    expect(stand.seen.slice(before.seen).join()).not.toMatch(/smuggled|other\.test/)
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    expect(answer).not.toMatch(/HTTP\/1\.1 200/)
    await stand.record((one) => stand.records.indexOf(one) >= before.records)
  },
)

test.each(Object.entries(requests).filter(([name]) => !/another|port|tunnel/.test(name)))(
  '%s: refused without TLS, too',
  async (_, text) => {
    const before = { seen: stand.seen.length, records: stand.records.length }
    const answer = await stand.say(await stand.dial(), Buffer.from(text, 'latin1'))
    expect(stand.seen.slice(before.seen).join()).not.toMatch(/smuggled|other\.test/)
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /)
    await stand.record(
      (one) => stand.records.indexOf(one) >= before.records && one.outcome === 'refused',
    )
  },
)

const pseudo = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':authority', host],
  [':path', '/h2'],
] as const
const swap = (name: string, value: string): (readonly [string, string])[] =>
  pseudo.map((field) => (field[0] === name ? [name, value] : field))
const fields: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  connection: [...pseudo, ['connection', 'keep-alive']],
  'transfer-encoding': [...pseudo, ['transfer-encoding', 'chunked']],
  upgrade: [...pseudo, ['upgrade', 'websocket']],
  'te other than trailers': [...pseudo, ['te', 'gzip']],
  'an upper-case name': [...pseudo, ['X-Upper', 'a']],
  'CR LF in the path': swap(':path', '/ HTTP/1.1\r\nHost: other.test\r\n\r\n'),
  'a space in the path': swap(':path', '/ HTTP/1.1'),
  'no path': pseudo.filter(([name]) => name !== ':path'),
  'two paths': [...pseudo, [':path', '/two']],
  'a whole URL as path': swap(':path', 'https://other.test/'),
  'another authority': swap(':authority', 'other.test'),
  'host against authority': [...pseudo, ['host', 'other.test']],
  'no authority and another host': [
    ...pseudo.filter(([name]) => name !== ':authority'),
    ['host', 'other.test'],
  ],
  'a length that the body does not keep': [...pseudo, ['content-length', '5']],
  'too many fields': [
    ...pseudo,
    ...Array.from({ length: 400 }, (_, at) => [`x-${at}`, 'a'] as const),
  ],
}

async function h2(): Promise<TLSSocket> {
  const secured = await stand.secure(host, { alpn: ['h2'] })
  secured.on('error', () => secured.destroy())
  secured.write(Buffer.concat([preface, h2Frame(frame.settings, 0, 0)]))
  return secured
}

test.each(Object.entries(fields))('HTTP/2 with %s does not pass', async (_, list) => {
  const before = stand.seen.length
  const secured = await h2()
  let heard = ''
  secured.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
  secured.write(h2Frame(frame.headers, endStream | endHeaders, 1, h2Fields(list)))
  // A proper request on a later stream shows that the session was not simply slow.
  const proper = h2Fields(swap(':path', '/proper'))
  secured.write(h2Frame(frame.headers, endStream | endHeaders, 3, proper))
  await new Promise((resolve) => {
    secured.once('close', resolve)
    setTimeout(resolve, 80)
  })
  secured.destroy()
  expect(stand.seen.slice(before).filter((line) => !line.includes('/proper'))).toEqual([])
  expect(heard.length).toBeGreaterThan(0)
})

test('HTTP/2 fields that would be two lines over HTTP/1.1 never arrive', async () => {
  let arrived = ''
  const own = await standTlsDoor({
    onRequest: (req, res) => {
      arrived += req.rawHeaders.join('|')
      ;(res as { end(text: string): void }).end('ok')
    },
  })
  for (const field of [
    ['x-rogue', 'b\r\ntransfer-encoding: chunked'],
    ['x-rogue: b\r\nx', 'c'],
    ['x-rogue: b', 'c'],
    ['x-rogue', 'b\u0000c'],
  ] as const) {
    const secured = await own.secure(host, { alpn: ['h2'] })
    secured.resume()
    secured.on('error', () => secured.destroy())
    secured.write(Buffer.concat([preface, h2Frame(frame.settings, 0, 0)]))
    const list = h2Fields([...pseudo, field])
    secured.write(h2Frame(frame.headers, endStream | endHeaders, 1, list))
    await new Promise((resolve) => setTimeout(resolve, 40))
    secured.destroy()
  }
  expect(arrived).not.toContain('rogue')
  await own.close()
})

test('HTTP/2 rapid reset ends the session', async () => {
  const before = stand.seen.length
  const secured = await h2()
  secured.resume()
  const closed = whenClosed(secured)
  const list = h2Fields(pseudo)
  const cancel = Buffer.of(0, 0, 0, 8)
  for (let burst = 0; burst < 60 && !secured.destroyed; burst++) {
    const frames: Buffer[] = []
    for (let at = 0; at < 50; at++) {
      const stream = 2 * (burst * 50 + at) + 1
      frames.push(h2Frame(frame.headers, endHeaders, stream, list))
      frames.push(h2Frame(frame.reset, 0, stream, cancel))
    }
    secured.write(Buffer.concat(frames))
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await closed
  expect(stand.seen.length - before).toBeLessThan(1_100)
  const record = await stand.record((one) => one.reason === 'h2-rapid-reset')
  expect(record).toMatchObject({ outcome: 'refused', host })
})

test('HTTP/2 header blocks without end are cut off', async () => {
  const before = stand.seen.length
  const secured = await h2()
  secured.resume()
  const closed = whenClosed(secured)
  secured.write(h2Frame(frame.headers, 0, 1, h2Fields(pseudo)))
  const piece = h2Frame(frame.continuation, 0, 1, h2Fields([['x-long', 'a'.repeat(16_000)]]))
  for (let at = 0; at < 200 && !secured.destroyed; at++) {
    secured.write(piece)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await closed
  expect(stand.seen.slice(before)).toEqual([])
})

test('slow clients are let go at every step, and recorded', async () => {
  const head = `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\n`
  const steps: Readonly<Record<string, (socket: Socket) => void>> = {
    silent: () => {},
    'half a hello': (socket) => socket.write((realHello as Buffer).subarray(0, 40)),
    'half a CONNECT': (socket) => socket.write(head),
    'a CONNECT and silence': (socket) => socket.write(`${head}\r\n`),
    'a CONNECT and half a hello': (socket) => {
      socket.write(`${head}\r\n`)
      socket.write((realHello as Buffer).subarray(0, 40))
    },
    'a hello and no more of TLS': (socket) => socket.write(realHello as Buffer),
  }
  for (const [name, begin] of Object.entries(steps)) {
    const before = stand.records.length
    const socket = await stand.dial()
    socket.resume()
    begin(socket)
    const drip = setInterval(() => {
      if (name === 'half a CONNECT') socket.write('X-Drip: a\r\n')
    }, 50)
    await once(socket, 'end')
    clearInterval(drip)
    socket.destroy()
    await stand.record((one) => stand.records.indexOf(one) >= before && one.outcome !== 'decrypted')
  }
  const secured = await stand.secure(host)
  secured.resume()
  secured.write(`GET /slow HTTP/1.1\r\nHost: ${host}\r\n`)
  await once(secured, 'end')
  secured.destroy()
  expect(stand.seen.join()).not.toContain('/slow')
})

test('targets that are addresses, or none, never get past filter and connect', async () => {
  const targets = [
    '127.0.0.1:80',
    '[::1]:443',
    '169.254.169.254:80',
    'localhost:22',
    '10.0.0.1:443',
  ]
  for (const target of targets) {
    const before = stand.asked.length
    const { socket, status } = await stand.tunnelTo(target)
    socket.destroy()
    expect(status, target).toBe('HTTP/1.1 403 Forbidden')
    expect(stand.asked.length, 'the filter was asked').toBe(before + 1)
  }
  const odd = [
    '127.1:80',
    '0x7f000001:80',
    '2130706433:80',
    'a:0',
    'a:65536',
    'a',
    'a@b:443',
    '*:1',
  ]
  for (const target of odd) {
    const { socket, status } = await stand.tunnelTo(target)
    socket.destroy()
    expect(status, target).toMatch(/^HTTP\/1\.1 400 /)
  }
  const { socket, status } = await stand.tunnelTo('private.tunnel.test:443')
  socket.destroy()
  expect(status).toBe('HTTP/1.1 403 Forbidden')
  const record = await stand.record((one) => one.host === 'private.tunnel.test')
  expect(record).toMatchObject({ outcome: 'refused', reason: 'address-refused' })
  const lie = `CONNECT ${host}:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n`
  expect(await stand.say(await stand.dial(), lie)).toMatch(/^HTTP\/1\.1 400 /)
})

test('the name in the hello must be the name in the CONNECT, decrypted or tunnelled', async () => {
  for (const [asked, greeted] of [
    [host, 'other.example.com'],
    [host, 'other.test'],
    ['one.tunnel.test', 'two.tunnel.test'],
    ['one.tunnel.test', host],
  ] as const) {
    const before = stand.records.length
    await expect(stand.secure(asked, { servername: greeted })).rejects.toThrow(
      /access denied|alert/i,
    )
    const record = await stand.record(
      (one) => stand.records.indexOf(one) >= before && one.reason === 'sni-mismatch',
    )
    expect(record).toMatchObject({ outcome: 'refused', host: asked, hello: { sni: greeted } })
  }
})

test('no name, or one that may be an outer name: refused and recorded', async () => {
  const nameless = connectTls({ port: stand.door.port, host: '127.0.0.1', ca: stand.ca })
  await expect(once(nameless, 'secureConnect')).rejects.toThrow(/alert/)
  await stand.record((one) => one.reason === 'no-server-name' && one.mode === 'transparent')
  const outer = Buffer.from(await helloFor('outer.tunnel.test'))
  outer.writeUInt16BE(0xfe0d, outer.indexOf(Buffer.of(0, 35, 0, 0)))
  await stand.say(await stand.dial(), outer)
  const record = await stand.record((one) => one.reason === 'ech-outer-name')
  expect(record).toMatchObject({ outcome: 'refused', host: 'outer.tunnel.test' })
})

/** `once` would reject on the broken pipe that is meant here. */
function whenClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

let realHello: Buffer | null = null
beforeAll(async () => {
  realHello = await helloFor(host)
})

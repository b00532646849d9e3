import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { standTlsDoor, standUpstream } from '#test/harness/tls-door.ts'
import type { Stand } from '#test/harness/tls-door.ts'

let stand: Stand
let upstream: Server

beforeAll(async () => {
  upstream = await standUpstream((socket) => socket.pipe(socket))
  stand = await standTlsDoor({ upstream })
})
afterAll(async () => {
  await stand.close()
  upstream.close()
})

const get = (host: string): string =>
  `GET /v1/models HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`

test('decrypts what the filter lists, over CONNECT and HTTP/1.1', async () => {
  const secured = await stand.secure('api.example.com')
  expect(await stand.say(secured, get('api.example.com'))).toMatch(/^HTTP\/1\.1 200 OK/)
  expect(stand.seen.at(-1)).toBe('GET /v1/models api.example.com')
  const record = await stand.record((one) => one.host === 'api.example.com')
  expect(record).toMatchObject({ outcome: 'decrypted', mode: 'connect', port: 443, reason: '' })
  expect(record.hello?.sni).toBe('api.example.com')
  expect(record.bytesUp).toBeGreaterThan(500)
  expect(record.bytesDown).toBeGreaterThan(500)
})

test('speaks HTTP/2, several streams at once', async () => {
  const secured = await stand.secure('h2.example.com', { alpn: ['h2', 'http/1.1'] })
  const session = connectHttp2('https://h2.example.com', { createConnection: () => secured })
  const answers = await Promise.all(
    [1, 2, 3].map(async (which) => {
      const stream = session.request({ ':method': 'POST', ':path': `/${which}` })
      stream.end('x'.repeat(200_000))
      let text = ''
      for await (const chunk of stream) text += String(chunk)
      return text
    }),
  )
  expect(answers).toEqual(['ok', 'ok', 'ok'])
  session.close()
  const record = await stand.record((one) => one.host === 'h2.example.com')
  expect(record).toMatchObject({ outcome: 'decrypted', alpn: 'h2' })
})

test('hands over upgrades', async () => {
  const upgrading = await stand.secure('ws.example.com')
  const head = 'GET / HTTP/1.1\r\nHost: ws.example.com\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'
  expect(await stand.say(upgrading, head)).toMatch(/^HTTP\/1\.1 101[\s\S]*hi$/)
})

test('a client that waits for 100 Continue is told so by the handler, not before', async () => {
  const own = await standTlsDoor({
    onRequest: (req, res, _context, waits) => {
      setTimeout(() => {
        if (waits) res.writeContinue()
        req.resume()
        req.once('end', () => (res as { end(text: string): void }).end('done'))
      }, 60)
    },
  })
  const secured = await own.secure('wait.example.com')
  let heard = ''
  secured.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  const head = 'POST / HTTP/1.1\r\nHost: wait.example.com\r\nContent-Length: 2\r\n'
  secured.write(`${head}Expect: 100-continue\r\nConnection: close\r\n\r\n`)
  await new Promise((resolve) => setTimeout(resolve, 25))
  expect(heard).toBe('')
  await expect.poll(() => heard).toMatch(/^HTTP\/1\.1 100 Continue/)
  secured.write('ok')
  await expect.poll(() => heard).toMatch(/200 OK[\s\S]*done$/)
  secured.destroy()
  await own.close()
})

test('routes a client that does not know of us by its SNI, and plain HTTP by its Host', async () => {
  const secured = connectTls({
    port: stand.door.port,
    host: '127.0.0.1',
    servername: 'direct.example.com',
    ca: stand.ca,
  })
  expect(await stand.say(secured, get('direct.example.com'))).toMatch(/^HTTP\/1\.1 200/)
  const asked = stand.asked.find((input) => input.host === 'direct.example.com')
  expect(asked).toMatchObject({ mode: 'transparent', scheme: 'https', port: 443 })
  expect(await stand.say(await stand.dial(), get('plain.example.com'))).toMatch(/^HTTP\/1\.1 200/)
  expect(stand.asked.at(-1)).toMatchObject({ mode: 'transparent', scheme: 'http', port: 80 })
})

test('a proxy request with a whole URL arrives as a path, without what was meant for us', async () => {
  const own = await standTlsDoor({
    onRequest: (req, res) => {
      ;(res as { end(text: string): void }).end(`${req.url} ${req.rawHeaders.join('|')}`)
    },
  })
  const head =
    'GET http://api.example.com:8080/a?b HTTP/1.1\r\nHost: api.example.com:8080\r\n' +
    'Proxy-Authorization: Basic eDp5\r\nConnection: close\r\n\r\n'
  const answer = await own.say(await own.dial(), head)
  expect(answer).toContain('/a?b Host|api.example.com:8080|Connection|close')
  expect(own.asked[0]).toMatchObject({ mode: 'absolute-form', proxyAuthorization: 'Basic eDp5' })
  await own.close()
})

test('tunnels with back-pressure, byte for byte, and counts', async () => {
  const { socket, status } = await stand.tunnelTo('a.tunnel.test:22')
  expect(status).toBe('HTTP/1.1 200 Connection Established')
  const sent = randomBytes(4 * 1024 * 1024)
  const heard: Buffer[] = []
  socket.on('data', (chunk: Buffer) => heard.push(chunk))
  socket.end(sent)
  await once(socket, 'end')
  expect(Buffer.concat(heard).equals(sent)).toBe(true)
  const record = await stand.record((one) => one.host === 'a.tunnel.test')
  expect(record).toMatchObject({ outcome: 'tunnelled', port: 22, hello: null })
  expect(record.bytesUp).toBeGreaterThanOrEqual(sent.length)
  expect(record.bytesDown).toBeGreaterThanOrEqual(sent.length)
})

test('a server that speaks first is heard before the client says anything', async () => {
  const greeting = await standUpstream((socket: Socket) => socket.end('SSH-2.0-server\r\n'))
  const own = await standTlsDoor({ upstream: greeting })
  const socket = await own.dial()
  const target = 'ssh.tunnel.test:22'
  const heard = await own.say(socket, `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)
  expect(heard).toMatch(/SSH-2\.0-server/)
  await own.close()
  greeting.close()
})

test('a tunnel that nobody uses ends', async () => {
  const own = await standTlsDoor({ upstream, limits: { upstreamIdleMsMax: 120 } })
  const { socket } = await own.tunnelTo('idle.tunnel.test:22')
  socket.resume()
  socket.write('x')
  await once(socket, 'end')
  socket.destroy()
  const record = await own.record((one) => one.host === 'idle.tunnel.test')
  expect(record).toMatchObject({ outcome: 'tunnelled', reason: 'idle' })
  await own.close()
})

test('a host that the authority does not permit is refused, never mis-signed', async () => {
  const { status, socket } = await stand.tunnelTo('api.not-in-authority.test:443')
  socket.destroy()
  expect(status).toBe('HTTP/1.1 403 Forbidden')
  const record = await stand.record((one) => one.host === 'api.not-in-authority.test')
  expect(record).toMatchObject({ outcome: 'refused', reason: 'host-not-permitted' })
})

test('asks for credentials, and hands them on', async () => {
  const own = await standTlsDoor({
    filter: (input) =>
      input.proxyAuthorization === undefined
        ? { kind: 'refuse', status: 407, words: 'who are you' }
        : { kind: 'decrypt', words: '', proxyCredential: 'known' },
    onRequest: (_req, res, context) => {
      ;(res as { end(text: string): void }).end(context.proxyCredential ?? 'nobody')
    },
  })
  const head = 'CONNECT api.example.com:443 HTTP/1.1\r\nHost: api.example.com:443\r\n\r\n'
  const asked = await own.say(await own.dial(), head)
  expect(asked).toMatch(/^HTTP\/1\.1 407 [\s\S]*proxy-authenticate: Basic[\s\S]*who are you/)
  const target = 'api.example.com:443'
  const { socket } = await own.tunnelTo(target, 'Proxy-Authorization: Bearer t\r\n')
  const secured = connectTls({ socket, servername: 'api.example.com', ca: own.ca })
  expect(await own.say(secured, get('api.example.com'))).toMatch(/known$/)
  await own.close()
})

test('a TLS session resumes', async () => {
  const first = await stand.secure('again.example.com')
  const session = once(first, 'session') as Promise<[Buffer]>
  await stand.say(first, get('again.example.com'))
  const [ticket] = await session
  const { socket } = await stand.tunnelTo('again.example.com:443')
  const second = connectTls({
    socket,
    servername: 'again.example.com',
    ca: stand.ca,
    session: ticket,
  })
  await once(second, 'secureConnect')
  expect(second.isSessionReused()).toBe(true)
  second.destroy()
})

test('a filter that throws refuses', async () => {
  const own = await standTlsDoor({
    filter: () => {
      throw new Error('broken')
    },
  })
  const { status, socket } = await own.tunnelTo('api.example.com:443')
  socket.destroy()
  expect(status).toBe('HTTP/1.1 503 Service Unavailable')
  expect(await own.record((one) => one.reason === 'filter-failed')).toMatchObject({
    outcome: 'refused',
  })
  await own.close()
})

test('closing lets an answer end, then cuts, and leaves nothing open', async () => {
  const running: { end(text: string): void }[] = []
  const own = await standTlsDoor({
    onRequest: (_req, res) => {
      running.push(res)
    },
  })
  const secured = await own.secure('slow.example.com')
  const heard = own.say(secured, get('slow.example.com'))
  await expect.poll(() => running.length).toBe(1)
  const closed = own.door.close({ graceMs: 2_000 })
  running[0]?.end('in time')
  expect(await heard).toMatch(/in time$/)
  await closed
  expect(own.door.connections).toBe(0)
})

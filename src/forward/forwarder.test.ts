import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer as createTcp } from 'node:net'
import { expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import { createForwarder } from './forwarder.ts'
import type { SendRequest } from './sending.ts'

async function text(body: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

async function listening(server: ReturnType<typeof createTcp>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

function post(port: number, more: Partial<SendRequest> = {}): SendRequest {
  return {
    method: 'POST',
    target: '/v1/messages?beta=true',
    rawHeaders: ['X-One', '1', 'host', 'gate', 'content-length', '2', 'x-One', '2'],
    body: Buffer.from('{}'),
    origin: new URL(`http://127.0.0.1:${port}`),
    signal: new AbortController().signal,
    http2: false,
    ...more,
  }
}

test('headers arrive in order, case and number, on a kept-alive socket', async () => {
  const seen: string[][] = []
  const server = createServer((req, res) => {
    seen.push(req.rawHeaders)
    res.writeHead(200, ['X-B', '1', 'x-a', '2', 'Trailer', 'x-sum'])
    res.write('hel')
    res.addTrailers([['x-sum', '7']])
    req.resume().once('end', () => res.end('lo'))
  })
  const port = await listening(server)
  const forwarder = createForwarder({
    world: realWorld,
    upstreamAddressesAllowed: [`127.0.0.1:${port}`],
  })
  for (let round = 0; round < 3; round += 1) {
    const answer = await forwarder.send(post(port))
    expect(await text(answer.body)).toBe('hello')
    expect(answer.rawHeaders.slice(0, 4)).toEqual(['X-B', '1', 'x-a', '2'])
    expect(answer.trailers()).toEqual(['x-sum', '7'])
    await new Promise((resolve) => setImmediate(resolve))
  }
  const wanted = ['X-One', '1', 'host', `127.0.0.1:${port}`, 'content-length', '2', 'x-One', '2']
  expect(seen).toEqual([wanted, wanted, wanted])
  expect(forwarder.stats()).toEqual({ sockets: 0, freeSockets: 1, sessions: 0 })
  await forwarder.close()
  server.close()
})

test('an address that is not public is refused unless it is listed', async () => {
  const forwarder = createForwarder({ world: realWorld, upstreamAddressesAllowed: [] })
  await expect(forwarder.send(post(9))).rejects.toMatchObject({ code: 'address-refused' })
  await expect(forwarder.connect({ host: 'localhost', port: 9 })).rejects.toMatchObject({
    code: 'address-refused',
  })
})

test('a name that turns to another address between check and use leads nowhere else', async () => {
  let asked = 0
  const forwarder = createForwarder({
    world: realWorld,
    upstreamAddressesAllowed: [],
    lookUp: () => {
      asked += 1
      return Promise.resolve([{ address: asked === 1 ? '::ffff:127.0.0.1' : '8.8.8.8', family: 6 }])
    },
  })
  await expect(forwarder.connect({ host: 'rebind.example', port: 9 })).rejects.toMatchObject({
    code: 'address-refused',
  })
  expect(asked).toBe(1)
})

test('an inference whose socket dies is not sent twice', async () => {
  let requests = 0
  const server = createTcp((socket) => {
    let answers = 0
    socket.on('error', () => socket.destroy())
    socket.on('data', () => {
      requests += 1
      answers += 1
      if (answers > 1) socket.destroy()
      else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  })
  const port = await listening(server)
  const forwarder = createForwarder({ world: realWorld, upstreamAddressesAllowed: ['127.0.0.0/8'] })
  await text((await forwarder.send(post(port))).body)
  await new Promise((resolve) => setImmediate(resolve))
  await expect(forwarder.send(post(port))).rejects.toMatchObject({ code: 'upstream-unreachable' })
  expect(requests).toBe(2)
  await forwarder.close()
  server.close()
})

test('an abort ends the request upstream at once', async () => {
  const closed = Promise.withResolvers<void>()
  const server = createServer((_req, res) => {
    res.write('first')
    res.once('close', () => closed.resolve())
  })
  const port = await listening(server)
  const forwarder = createForwarder({ world: realWorld, upstreamAddressesAllowed: ['127.0.0.0/8'] })
  const abort = new AbortController()
  const answer = await forwarder.send(post(port, { signal: abort.signal }))
  answer.body.on('error', () => answer.body.destroy())
  abort.abort()
  await expect(closed.promise).resolves.toBeUndefined()
  await forwarder.close()
  server.close()
})

test('a handshake passes as it came, and so does a refusal of it', async () => {
  let seen = ''
  const server = createTcp((socket) => {
    socket.once('data', (chunk) => {
      seen = chunk.toString()
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX: y \r\n\r\nframe')
    })
  })
  const port = await listening(server)
  const forwarder = createForwarder({ world: realWorld, upstreamAddressesAllowed: ['127.0.0.0/8'] })
  const request = {
    target: '/v1/responses',
    rawHeaders: ['Host', 'gate', 'Connection', 'Upgrade', 'Upgrade', 'websocket'],
    origin: new URL(`http://127.0.0.1:${port}`),
    signal: new AbortController().signal,
  }
  const answer = await forwarder.upgrade(request)
  expect(answer).toMatchObject({ status: 101, rawHeaders: ['Upgrade', 'websocket', 'X', 'y'] })
  expect(answer.head.toString()).toBe('frame')
  expect(seen).toBe(
    `GET /v1/responses HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
  )
  answer.socket.destroy()
  await expect(
    forwarder.upgrade({ ...request, rawHeaders: ['a', 'b\r\nc: d'] }),
  ).rejects.toMatchObject({ code: 'request-malformed' })
  server.close()
})

import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** A provider that counts what it saw, by id, and answers as badly as it is asked to. */
export class FuzzProvider implements AsyncDisposable {
  readonly seen = new Map<string, number>()
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer({ maxHeaderSize: 256 * 1024 }, (req, res) => {
    const query = new URL(req.url ?? '/', 'http://provider').searchParams
    const id = query.get('fuzz') ?? `none:${req.url}`
    this.seen.set(id, (this.seen.get(id) ?? 0) + 1)
    req.resume()
    req.once('error', () => res.destroy())
    req.once('end', () => answer(res, Number(query.get('answer') ?? -1)))
  })

  static async open(): Promise<FuzzProvider> {
    const provider = new FuzzProvider()
    const server = provider.#server
    server.on('connection', (socket) => {
      provider.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.once('close', () => provider.#sockets.delete(socket))
    })
    server.on('upgrade', (req, socket) => {
      const id = new URL(req.url ?? '/', 'http://provider').searchParams.get('fuzz') ?? 'none'
      provider.seen.set(id, (provider.seen.get(id) ?? 0) + 1)
      socket.end(
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02{}',
      )
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return provider
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

const event =
  'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n'

function answer(res: ServerResponse, how: number): void {
  const raw = res.socket
  switch (how) {
    case 0:
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write(event.repeat(20))
      res.end(event.slice(0, 60))
      return
    case 1:
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.write(Buffer.from('data: {"type":"\xff\xfe\r\rdata:\0\n\n', 'latin1'))
      raw?.destroySoon()
      return
    case 2:
      res.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
      res.end('this is not gzip')
      return
    case 3:
      res.writeHead(200, { 'content-type': 'application/json', 'content-length': 5_000 })
      res.write('{"id":')
      setTimeout(() => raw?.destroy(), 5)
      return
    case 4:
      raw?.end(
        'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
      )
      return
    case 5:
      raw?.end(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(300_000)}\r\n\r\n`)
      return
    case 6:
      raw?.end('\x16\x03\x01 no HTTP at all')
      return
    case 7:
      raw?.resetAndDestroy()
      return
    case 8:
      res.writeHead(500, { 'content-type': 'application/json', trailer: 'x-end' })
      res.write('{"error":{}}')
      res.addTrailers({ 'x-end': '1' })
      res.end()
      return
    case 9:
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.end(`data: ${'{"a":'.repeat(3_000)}\n\n`)
      return
    case 10:
      res.writeEarlyHints({ link: '</x>; rel=preload' })
      res.writeHead(204)
      res.end()
      return
    default:
      res.writeHead(200, { 'content-type': 'application/json' })
      res.end(
        '{"id":"m","type":"message","content":[{"type":"text","text":"ok"}],"usage":{"input_tokens":1,"output_tokens":1}}',
      )
  }
}

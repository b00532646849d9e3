import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** A request as the client wrote it. */
export type Sent = {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
}

/**
 * Stands between a client and the base-URL door and keeps every byte that the client sent, so that
 * what the provider got can be held against it. Changes nothing.
 */
export class Tap implements AsyncDisposable {
  readonly #server
  readonly #streams: Buffer[][] = []
  readonly #sockets = new Set<Socket>()

  private constructor(to: URL) {
    this.#server = createServer((client) => {
      const stream: Buffer[] = []
      this.#streams.push(stream)
      const gate = connect(Number(to.port), to.hostname)
      for (const socket of [client, gate]) {
        this.#sockets.add(socket)
        socket.setNoDelay(true)
        socket.on('error', () => {
          client.destroy()
          gate.destroy()
        })
        socket.once('close', () => this.#sockets.delete(socket))
      }
      client.on('data', (chunk: Buffer) => stream.push(chunk))
      client.pipe(gate)
      gate.pipe(client)
    })
  }

  static async open(to: string): Promise<Tap> {
    const tap = new Tap(new URL(to))
    await new Promise<void>((resolve) => tap.#server.listen(0, '127.0.0.1', resolve))
    return tap
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Every whole request so far, connection by connection. */
  requests(): readonly Sent[] {
    return this.#streams.flatMap((stream) => requestsIn(Buffer.concat(stream)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

function requestsIn(bytes: Buffer): readonly Sent[] {
  const found: Sent[] = []
  let at = 0
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) break
    const [first = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n')
    const [method = '', target = ''] = first.split(' ')
    const rawHeaders = lines.flatMap((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon), line.slice(colon + 1).trim()]
    })
    const length = lines.find((line) => /^content-length:/i.test(line))?.split(':')[1]
    const chunked = lines.some((line) => /^transfer-encoding:\s*chunked/i.test(line))
    const body = chunked
      ? unchunked(bytes, end + 4)
      : {
          bytes: bytes.subarray(end + 4, end + 4 + Number(length ?? 0)),
          end: end + 4 + Number(length ?? 0),
        }
    if (body === null || body.end > bytes.length) break
    found.push({ method, target, rawHeaders, body: body.bytes })
    at = body.end
  }
  return found
}

function unchunked(bytes: Buffer, from: number): { bytes: Buffer; end: number } | null {
  const parts: Buffer[] = []
  let at = from
  for (;;) {
    const line = bytes.indexOf('\r\n', at)
    if (line < 0) return null
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    at = line + 2
    if (size === 0) return { bytes: Buffer.concat(parts), end: at + 2 }
    parts.push(bytes.subarray(at, at + size))
    at += size + 2
  }
}

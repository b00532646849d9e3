import type { Socket } from 'node:net'
import type { ClientHello } from './client-hello.ts'
import type { ConnectionReason, ConnectionRecord, Mode, TlsDoorOptions } from './door-types.ts'

/** TLS alert, fatal, access_denied (RFC 8446 6): clients say so instead of "connection reset". */
const accessDenied = Buffer.of(21, 3, 3, 0, 2, 2, 49)

/**
 * One accepted socket and what is known of it. Writes exactly one record, when the socket closes;
 * a connection that came and went without a byte leaves none.
 */
export class Connection {
  readonly socket: Socket
  readonly peer: string
  mode: Mode = 'transparent'
  host = ''
  port = 0
  hello: ClientHello | null = null
  alpn = ''
  proxyCredential: string | undefined = undefined
  #outcome: ConnectionRecord['outcome'] | null = null
  #reason: ConnectionReason | '' = ''
  #words = ''
  readonly #atMs: number
  readonly #startMs: number
  readonly #options: TlsDoorOptions

  constructor(socket: Socket, options: TlsDoorOptions) {
    this.socket = socket
    this.peer = socket.remoteAddress ?? 'local'
    this.#options = options
    this.#atMs = options.world.nowMs()
    this.#startMs = options.world.monotonicMs()
    socket.on('error', () => {
      // `close` follows; the record says how far it came.
    })
    socket.once('close', () => this.#record())
  }

  /** The first word counts: what follows from a refusal is not a second cause. */
  ended(
    outcome: ConnectionRecord['outcome'],
    reason: ConnectionReason | '' = '',
    words = '',
  ): void {
    if (this.#reason !== '') return
    this.#outcome = outcome
    this.#reason = reason
    this.#words = words.slice(0, 500)
  }

  refuse(reason: ConnectionReason, words = ''): void {
    this.ended('refused', reason, words)
  }

  /** Refuses a client that speaks TLS. */
  refuseTls(reason: ConnectionReason, words = ''): void {
    this.refuse(reason, words)
    this.socket.end(accessDenied)
    this.linger()
  }

  /** Refuses a client that speaks HTTP. */
  refuseHttp(status: string, reason: ConnectionReason, words: string, headers = ''): void {
    this.refuse(reason, words)
    this.socket.end(httpRefusal(status, words, headers))
    this.linger()
  }

  /** Lets the answer arrive, reads nothing more, and closes though the client may not. */
  linger(): void {
    const { socket } = this
    socket.resume()
    const timer = setTimeout(() => socket.destroy(), 1_000)
    socket.once('close', () => clearTimeout(timer))
    socket.once('end', () => socket.destroySoon())
  }

  /** A record about one request inside this connection. */
  noteRequest(
    outcome: ConnectionRecord['outcome'],
    reason: ConnectionReason | '',
    words: string,
    to: { readonly host: string; readonly port: number } = { host: this.host, port: this.port },
  ): void {
    this.#options.onConnection({ ...this.#about(), ...to, outcome, reason, words })
  }

  #about(): ConnectionRecord {
    return {
      atMs: this.#atMs,
      ms: this.#options.world.monotonicMs() - this.#startMs,
      peer: this.peer,
      mode: this.mode,
      host: this.host,
      port: this.port,
      outcome: this.#outcome ?? 'failed',
      reason: this.#reason,
      words: this.#words,
      bytesUp: this.socket.bytesRead,
      bytesDown: this.socket.bytesWritten,
      alpn: this.alpn,
      hello: this.hello,
      ...(this.proxyCredential === undefined ? {} : { proxyCredential: this.proxyCredential }),
    }
  }

  #record(): void {
    if (this.#outcome === null && this.socket.bytesRead === 0) return
    this.#options.onConnection(this.#about())
  }
}

export function httpRefusal(status: string, words: string, headers = ''): string {
  const body = `${words}\n`
  return (
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`
  )
}

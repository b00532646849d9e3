import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { httpRefusal } from './connection.ts'
import type { Connection } from './connection.ts'
import type { ConnectionReason, Context, DoorLimits, TlsDoorOptions } from './door-types.ts'
import { readAuthority } from './host-name.ts'

export type Inner = { readonly connection: Connection; readonly context: Context }

/** HTTP/1.1 settings that every server of this door shares. */
export function strictHttp1(bounds: DoorLimits): Server {
  const server = createServer({
    insecureHTTPParser: false,
    // `wrongWithHeaders` wants exactly one, of HTTP/1.0 too, and records a refusal.
    requireHostHeader: false,
    maxHeaderSize: bounds.requestHeaderBytesMax,
    headersTimeout: bounds.headerReadMsMax,
    requestTimeout: bounds.requestReadMsMax,
    keepAliveTimeout: 75_000,
    connectionsCheckingInterval: Math.min(5_000, Math.ceil(bounds.headerReadMsMax / 4)),
    noDelay: true,
  })
  // Fields are counted in `wrongWithHeaders`, so that too many are refused and recorded by us on
  // every version of Node.
  server.maxHeadersCount = 0
  // A client that neither takes its answer nor sends anything is let go.
  server.timeout = bounds.upstreamIdleMsMax + 60_000
  // This server never listens: sockets are handed to it. Its clock for slow headers starts with
  // this event.
  server.emit('listening')
  return server
}

/**
 * The HTTP/1.1 side of what was decrypted.
 *
 * Every request must be for the host that the certificate was made for; anything else is answered
 * 421 and recorded (RFC 9110 7.4), so that a name which the filter allowed cannot carry a request
 * for one that it never saw.
 */
export function createInnerHttp1(
  options: TlsDoorOptions,
  bounds: DoorLimits,
  innerOf: WeakMap<object, Inner>,
): Server {
  const server = strictHttp1(bounds)
  const handle = (req: IncomingMessage, res: ServerResponse, waits: boolean): void => {
    const inner = innerOf.get(req.socket)
    if (inner === undefined) return void req.socket.destroy()
    const wrong = wrongWithRequest(req, inner.context, bounds)
    if (wrong === null) return options.onRequest(req, res, inner.context, waits)
    inner.connection.noteRequest('refused', wrong.reason, wrong.words)
    res.shouldKeepAlive = false
    res.writeHead(wrong.status, { 'content-type': 'text/plain; charset=utf-8' })
    res.end(`${wrong.words}\n`)
  }
  server.on('request', (req, res) => handle(req, res, false))
  server.on('checkContinue', (req, res) => handle(req, res, true))
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    const inner = innerOf.get(socket)
    if (inner === undefined) return void socket.destroy()
    const wrong = wrongWithRequest(req, inner.context, bounds)
    if (wrong === null) return options.onUpgrade(req, socket, head, inner.context)
    inner.connection.noteRequest('refused', wrong.reason, wrong.words)
    socket.end(httpRefusal(`${wrong.status} Refused`, wrong.words))
  })
  server.on('connect', (_req, socket: Duplex) => {
    socket.end(httpRefusal('405 Method Not Allowed', 'Postern: no tunnel inside a tunnel.'))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    const inner = innerOf.get(socket)
    const answer = answerToBrokenHttp(error)
    inner?.connection.ended('refused', answer.reason, error.code ?? '')
    answerAndClose(socket as Socket, answer.status)
  })
  return server
}

export type Wrong = {
  readonly status: number
  readonly reason: ConnectionReason
  readonly words: string
}

function wrongWithRequest(req: IncomingMessage, to: Context, bounds: DoorLimits): Wrong | null {
  const wrong = wrongWithHeaders(req.rawHeaders, bounds)
  if (wrong !== null) return wrong
  const target = req.url ?? ''
  const strange = wrongWithTarget(req.method ?? '', target, bounds)
  if (strange !== null) return strange
  return wrongWithHost(req.headers.host, to)
}

export function wrongWithHeaders(rawHeaders: readonly string[], bounds: DoorLimits): Wrong | null {
  if (rawHeaders.length > 2 * bounds.requestHeaderCountMax) {
    return { status: 431, reason: 'headers-too-large', words: 'Postern: too many header fields.' }
  }
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++
  }
  // RFC 9112 3.2: exactly one. `node:http` keeps the first of several, another server the last.
  if (hosts !== 1) return malformed(`${hosts} Host header fields`)
  return null
}

export function wrongWithTarget(method: string, target: string, bounds: DoorLimits): Wrong | null {
  if (target.length > bounds.requestTargetBytesMax) {
    return { status: 414, reason: 'headers-too-large', words: 'Postern: the path is too long.' }
  }
  if (target === '*' && method === 'OPTIONS') return null
  // A whole URL as target would overrule the Host header (RFC 9112 3.2.2): here only a path.
  if (!target.startsWith('/')) return malformed('the request target is not a path')
  if (/[^\u0021-\u007e]/.test(target)) return malformed('the path has bytes outside ASCII')
  return null
}

export function wrongWithHost(value: string | undefined, to: Context): Wrong | null {
  if (value === to.host) return null
  const defaultPort = to.scheme === 'https' ? 443 : 80
  const meant = value === undefined ? null : readAuthority(value, defaultPort)
  // A transparent client dials a port that we may not know: there the name alone must match.
  const samePort = meant?.port === to.port || to.mode === 'transparent'
  if (meant !== null && meant.host === to.host && samePort) return null
  if (meant !== null && meant.host === to.host && !/:\d+$/.test(value ?? '')) return null
  return {
    status: 421,
    reason: 'host-mismatch',
    words: `Postern: this connection is for ${to.host}, the request is for another host.`,
  }
}

function malformed(what: string): Wrong {
  return { status: 400, reason: 'http-malformed', words: `Postern: ${what}.` }
}

export function answerToBrokenHttp(error: NodeJS.ErrnoException): {
  readonly status: string
  readonly reason: ConnectionReason
} {
  if (error.code === 'HPE_HEADER_OVERFLOW') {
    return { status: '431 Request Header Fields Too Large', reason: 'headers-too-large' }
  }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return { status: '408 Request Timeout', reason: 'slow-client' }
  }
  return { status: '400 Bad Request', reason: 'http-malformed' }
}

/** Says the status when nothing was said yet, and closes whatever the client does. */
export function answerAndClose(socket: Socket, status: string): void {
  if (!socket.writable || socket.destroyed) return void socket.destroy()
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
  const timer = setTimeout(() => socket.destroy(), 1_000)
  socket.once('close', () => clearTimeout(timer))
  socket.resume()
}

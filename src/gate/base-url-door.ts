import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { limits } from '#words/limits.ts'
import { replyOverHttp1 } from './reply.ts'
import type { Arrival, Rooms } from './rooms.ts'
import { serve } from './serve.ts'
import { serveWebSocket } from './web-socket.ts'

export type Listening = {
  readonly port: number
  /** Takes no new connection, lets running answers finish for `graceMs`, then breaks them off. */
  close(graceMs: number): Promise<void>
}

/**
 * The base-URL door: `http://gate/<mount>/<the provider's own path>`.
 *
 * `node:http` parses strictly: both Content-Length and Transfer-Encoding, obs-fold, or a bare LF
 * end the connection with 400, so that no second request hides in a body (RFC 9112 6.3).
 */
export async function openBaseUrlDoor(
  rooms: Rooms,
  at: { readonly host: string; readonly port: number; readonly reusePort: boolean },
): Promise<Listening> {
  const server = createServer({
    insecureHTTPParser: false,
    requireHostHeader: true,
    maxHeaderSize: limits.requestHeaderBytesMax,
    headersTimeout: limits.headerReadMsMax,
    requestTimeout: limits.requestReadMsMax,
    keepAliveTimeout: 75_000,
    noDelay: true,
    highWaterMark: 256 * 1024,
  })
  server.maxHeadersCount = limits.requestHeaderCountMax
  server.maxConnections = limits.connectionsPerWorkerMax
  server.on('request', (req, res) => handle(rooms, req, res, false))
  server.on('checkContinue', (req, res) => handle(rooms, req, res, true))
  server.on('upgrade', (req, socket, head) => handleUpgrade(rooms, req, socket, head))
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    clientError(rooms, error, socket),
  )
  // A CONNECT at this door is a client pointed at the wrong port; it gets told, not tunnelled.
  server.on('connect', (_req, socket) => {
    socket.end('HTTP/1.1 405 Method Not Allowed\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ host: at.host, port: at.port, reusePort: at.reusePort }, resolve)
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : at.port
  return { port, close: (graceMs) => closeServer(server, graceMs) }
}

function handle(rooms: Rooms, req: IncomingMessage, res: ServerResponse, waits: boolean): void {
  const reply = replyOverHttp1(res)
  const target = req.url ?? '/'
  if (target === '/livez' || target === '/readyz') {
    reply.whole(200, ['content-type', 'text/plain'], Buffer.from('ok\n'))
    return
  }
  const arrival = arrivalOf(rooms, req, false, waits ? () => res.writeContinue() : () => {})
  if (arrival === null) return noMount(rooms, target, reply)
  void serve(rooms, arrival, reply)
}

function handleUpgrade(rooms: Rooms, req: IncomingMessage, socket: Duplex, head: Buffer): void {
  const arrival = arrivalOf(rooms, req, true, () => {})
  if (arrival === null) {
    socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    return
  }
  void serveWebSocket(rooms, arrival, req, socket, head)
}

function arrivalOf(
  rooms: Rooms,
  req: IncomingMessage,
  upgrade: boolean,
  goOn: () => void,
): Arrival | null {
  const method = req.method ?? 'GET'
  const route = rooms.routes().byMount(method, req.url ?? '/', upgrade)
  if (route === null) return null
  const origin = new URL(route.baseUrl)
  return {
    door: 'base-url',
    transport: upgrade ? 'websocket' : 'http',
    method,
    target: prefixed(origin, route.target),
    host: origin.hostname,
    origin,
    route,
    rawHeaders: req.rawHeaders,
    peer: req.socket.remoteAddress ?? 'unknown',
    http2: false,
    body: upgrade ? null : req,
    goOn,
  }
}

/** A provider's base URL may have a path of its own: `https://host/api`. */
function prefixed(origin: URL, target: string): string {
  return origin.pathname === '/' ? target : origin.pathname.replace(/\/$/, '') + target
}

function noMount(rooms: Rooms, target: string, reply: ReturnType<typeof replyOverHttp1>): void {
  const mounts = rooms.routes().mounts.map((mount) => `/${mount}`)
  const message = `Postern: nothing is mounted at ${JSON.stringify(target.slice(0, 100))}. Mounted: ${mounts.join(', ')}.`
  reply.whole(
    404,
    ['content-type', 'application/json'],
    Buffer.from(JSON.stringify({ error: { message, type: 'not_found_error' } })),
  )
}

/** Requests that were not even HTTP are counted by source, and answered without their own words. */
function clientError(rooms: Rooms, error: NodeJS.ErrnoException, socket: Duplex): void {
  const peer = (socket as { remoteAddress?: string }).remoteAddress ?? 'unknown'
  rooms.strangers.saw(peer, 'request-malformed')
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
}

export function closeServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}

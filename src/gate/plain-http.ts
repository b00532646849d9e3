import type { IncomingMessage, ServerResponse } from 'node:http'
import { request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { askFilter, connectUpstream } from './connect.ts'
import type { Door } from './connect.ts'
import { httpRefusal } from './connection.ts'
import type { Connection } from './connection.ts'
import type { ConnectionReason, Context, Mode } from './door-types.ts'
import { hopByHopOfAnswer, withoutHeaders } from './headers.ts'
import { readAuthority } from './host-name.ts'
import type { Authority } from './host-name.ts'
import { wrongWithHeaders, wrongWithTarget } from './inner-http.ts'

type Plain = { readonly req: IncomingMessage; readonly port: number } & (
  | { readonly res: ServerResponse; readonly waits: boolean }
  | { readonly socket: Duplex; readonly head: Buffer }
)

/**
 * HTTP without TLS at the proxy's own level: `GET http://host/path` (RFC 9112 3.2.2), or a path
 * and a Host header from a client that does not know of us.
 *
 * Each request is asked about, for the next one on the same connection may be for another host.
 */
export async function servePlainHttp(
  door: Door,
  connection: Connection,
  plain: Plain,
): Promise<void> {
  const { req } = plain
  const to = readTarget(req, plain.port)
  const wrong = wrongWithHeaders(req.rawHeaders, door.bounds)
  if (wrong !== null) return refuse(connection, plain, wrong.status, wrong.reason, wrong.words)
  if (to === null) {
    const words = 'Postern: the target is neither a path with a Host nor an http: URL of that Host.'
    return refuse(connection, plain, 400, 'malformed-target', words)
  }
  const strange = wrongWithTarget(req.method ?? '', to.path, door.bounds)
  if (strange !== null) {
    return refuse(connection, plain, strange.status, strange.reason, strange.words)
  }
  connection.mode = to.mode
  connection.host = to.host
  connection.port = to.port
  const proxyAuthorization = req.headers['proxy-authorization']
  const verdict = await askFilter(door, connection, {
    host: to.host,
    port: to.port,
    mode: to.mode,
    scheme: 'http',
    peer: connection.peer,
    ...(proxyAuthorization === undefined ? {} : { proxyAuthorization }),
  })
  if (connection.socket.destroyed) return
  if (verdict.kind === 'refuse') {
    const reason = verdict.reason ?? 'filter'
    return refuse(connection, plain, verdict.status ?? 403, reason, verdict.words)
  }
  if (verdict.kind === 'tunnel') return await forwardPlain(door, connection, plain, to)
  // From here on the request reads as if it had come to the host itself.
  req.url = to.path
  req.rawHeaders = withoutHeaders(req.rawHeaders, forUs)
  const context: Context = {
    host: to.host,
    port: to.port,
    scheme: 'http',
    mode: to.mode,
    alpn: 'http/1.1',
    peer: connection.peer,
    hello: null,
    ...(verdict.proxyCredential === undefined ? {} : { proxyCredential: verdict.proxyCredential }),
  }
  connection.alpn = 'http/1.1'
  connection.ended('decrypted')
  if ('res' in plain) door.options.onRequest(req, plain.res, context, plain.waits)
  else door.options.onUpgrade(req, plain.socket, plain.head, context)
}

/** What the client says to a proxy is not for the host. */
const forUs: ReadonlySet<string> = new Set(['proxy-authorization', 'proxy-connection'])

type Target = Authority & { readonly path: string; readonly mode: Mode }

function readTarget(req: IncomingMessage, transparentPort: number): Target | null {
  const target = req.url ?? ''
  const host = req.headers.host
  if (host === undefined) return null
  if (target.startsWith('/') || target === '*') {
    const to = readAuthority(host, transparentPort)
    return to === null ? null : { ...to, path: target, mode: 'transparent' }
  }
  const parts = /^http:\/\/([^/?#]+)(\/[^#]*|\?[^#]*)?$/i.exec(target)
  const to = parts === null ? null : readAuthority(parts[1] as string, 80)
  const said = readAuthority(host, 80)
  if (parts === null || to === null || said?.host !== to.host || said.port !== to.port) return null
  const path = parts[2] ?? '/'
  return { ...to, path: path.startsWith('/') ? path : `/${path}`, mode: 'absolute-form' }
}

function refuse(
  connection: Connection,
  plain: Plain,
  status: number,
  reason: ConnectionReason,
  words: string,
): void {
  connection.noteRequest('refused', reason, words)
  connection.ended('decrypted')
  if ('socket' in plain) {
    plain.socket.end(httpRefusal(`${status} Refused`, words))
    return
  }
  const { res } = plain
  res.shouldKeepAlive = false
  res.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    ...(status === 407 ? { 'proxy-authenticate': 'Basic realm="Postern"' } : {}),
  })
  res.end(`${words}\n`)
}

/** Fields that end at a proxy (RFC 9110 7.6.1); `node:http` writes its own framing. */
const endHere: ReadonlySet<string> = new Set([
  ...hopByHopOfAnswer,
  'proxy-authorization',
  'transfer-encoding',
])

/** A request that may pass unread, over a socket that the injected `connect` has checked. */
async function forwardPlain(
  door: Door,
  connection: Connection,
  plain: Plain,
  to: Target,
): Promise<void> {
  if ('socket' in plain) {
    const words = 'Postern: use CONNECT for a WebSocket through this proxy.'
    return refuse(connection, plain, 403, 'filter', words)
  }
  const { req, res } = plain
  const upstream = await connectUpstream(door, connection)
  if (typeof upstream === 'string') {
    const words = `Postern: ${to.host}:${to.port} cannot be reached.`
    return refuse(connection, plain, upstream === 'address-refused' ? 403 : 502, upstream, words)
  }
  if (plain.waits) res.writeContinue()
  const named = new Set(
    (req.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()),
  )
  const headers: string[] = []
  for (let at = 0; at < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at] as string
    const lower = name.toLowerCase()
    if (endHere.has(lower) || named.has(lower) || lower === 'expect') continue
    headers.push(name, req.rawHeaders[at + 1] as string)
  }
  const chunked = req.headers['transfer-encoding'] !== undefined
  if (chunked) headers.push('Transfer-Encoding', 'chunked')
  headers.push('Connection', 'close')
  const out = httpRequest({
    createConnection: () => upstream,
    method: req.method,
    path: to.path,
    headers,
    setDefaultHeaders: false,
    setHost: false,
    timeout: door.bounds.upstreamIdleMsMax,
  } as object)
  const gone = (): void => void upstream.destroy()
  res.once('close', gone)
  out.on('timeout', gone)
  out.on('response', (answer: IncomingMessage) => {
    const kept: string[] = []
    for (let at = 0; at < answer.rawHeaders.length; at += 2) {
      const name = answer.rawHeaders[at] as string
      if (!hopByHopOfAnswer.has(name.toLowerCase()))
        kept.push(name, answer.rawHeaders[at + 1] as string)
    }
    res.sendDate = false
    res.writeHead(answer.statusCode ?? 502, answer.statusMessage, kept)
    answer.pipe(res)
    answer.once('aborted', () => res.destroy())
  })
  out.on('error', () => {
    if (res.headersSent) {
      res.destroy()
      return
    }
    refuse(connection, plain, 502, 'upstream-unreachable', `Postern: ${to.host} broke off.`)
  })
  connection.ended('tunnelled')
  req.pipe(out)
}

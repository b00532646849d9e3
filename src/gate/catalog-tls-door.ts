import type { Http2ServerResponse } from 'node:http2'
import type { ServerResponse } from 'node:http'
import type { EntryDraft } from '#words/entry.ts'
import type { Caller } from '#words/exchange.ts'
import type { FaultCode } from '#words/fault-codes.ts'
import { isFault } from '#words/faults.ts'
import type { UserId } from '#words/ids.ts'
import { openAuthority } from './authority.ts'
import type { Listening } from './base-url-door.ts'
import type {
  AnyRequest,
  AnyResponse,
  ConnectionRecord,
  Context,
  FilterInput,
  FilterVerdict,
} from './door-types.ts'
import { findHeader } from './headers.ts'
import { replyOverHttp1, replyOverHttp2 } from './reply.ts'
import type { Arrival, Rooms } from './rooms.ts'
import type { Route } from './routes.ts'
import { serve } from './serve.ts'
import { createTlsDoor } from './tls-door.ts'
import { serveWebSocket } from './web-socket.ts'

/**
 * The TLS door as the gate runs it: hosts of the catalog are decrypted and walk the same road as
 * requests of the base-URL door; other hosts are tunnelled for callers that we know, or refused.
 */
export async function openCatalogTlsDoor(
  rooms: Rooms,
  pair: { readonly certPem: string; readonly keyPem: string },
  at: {
    readonly host: string
    readonly port: number
    readonly reusePort: boolean
    /** 48 bytes that the workers of one gate share, so that TLS sessions resume at each. */
    readonly ticketKeys: Buffer
  },
): Promise<Listening> {
  const authority = await openAuthority(pair, { world: rooms.world })
  const door = createTlsDoor({
    world: rooms.world,
    authority,
    ticketKeys: at.ticketKeys,
    filter: (input) => filter(rooms, authority, input),
    onRequest: (req, res, context, waits) => handle(rooms, req, res, context, waits),
    onUpgrade: (req, socket, head, context) => {
      const arrival = arrivalOf(rooms, req, context, true, () => {})
      void serveWebSocket(rooms, arrival, req, socket, head)
    },
    onConnection: (record) => note(rooms, record),
    connect: (host, port) => rooms.forward.connect({ host, port }),
  })
  const port = await door.listen({ host: at.host, port: at.port, reusePort: at.reusePort })
  return { port, close: (graceMs) => door.close({ graceMs }) }
}

/**
 * An open proxy would be an open door: a tunnel that nobody looks into is only for callers that
 * showed a credential. Decrypted hosts may show it inside instead.
 */
async function filter(
  rooms: Rooms,
  authority: { permits(host: string): boolean },
  input: FilterInput,
): Promise<FilterVerdict> {
  const proxyCredential = input.proxyAuthorization
  let caller: Caller | null = null
  if (proxyCredential !== undefined) {
    try {
      caller = rooms.identifyTunnel(proxyCredential, input.peer).caller
    } catch (cause) {
      if (!isFault(cause)) throw cause
      rooms.strangers.saw(input.peer, cause.code)
      return { kind: 'refuse', status: 407, words: `Postern: ${cause.outward} ${cause.advice}` }
    }
  }
  const handOn = proxyCredential === undefined ? {} : { proxyCredential }
  const row = rooms.routes().findHost(input.host)
  if (row !== null && authority.permits(input.host)) {
    return { kind: 'decrypt', words: '', ...handOn }
  }
  if (caller === null) {
    rooms.strangers.saw(input.peer, 'token-missing')
    return {
      kind: 'refuse',
      status: 407,
      words: `Postern: ${input.host} is not an AI provider of the catalog; to go there through this proxy, send a gateway token.`,
    }
  }
  const said = rooms.connection(caller, input.host, input.port)
  // In the catalog, but the trusted authority does not permit it: it is never mis-signed.
  if (said.kind === 'decrypt' || row !== null) {
    return {
      kind: 'refuse',
      words: `Postern: ${input.host} is in the catalog, but the certificate authority of this gate does not permit it. Move ca.pem and ca.key away and start again to make one that does.`,
    }
  }
  if (said.kind === 'refuse') return { kind: 'refuse', words: said.words, ...handOn }
  // No receipt, no passage: the end of a tunnel may never be written, so its beginning is.
  await rooms.record.note({
    kind: 'connection',
    atMs: rooms.world.nowMs(),
    subject: caller.user,
    public: { mode: input.mode, outcome: 'opening', port: input.port },
    private: { host: input.host, peer: input.peer, words: said.words },
  })
  return { kind: 'tunnel', words: said.words, ...handOn }
}

function handle(
  rooms: Rooms,
  req: AnyRequest,
  res: AnyResponse,
  context: Context,
  waits: boolean,
): void {
  const reply =
    context.alpn === 'h2'
      ? replyOverHttp2(res as Http2ServerResponse)
      : replyOverHttp1(res as ServerResponse)
  const goOn = waits ? () => res.writeContinue() : () => {}
  void serve(rooms, arrivalOf(rooms, req, context, false, goOn), reply)
}

function arrivalOf(
  rooms: Rooms,
  req: AnyRequest,
  context: Context,
  upgrade: boolean,
  goOn: () => void,
): Arrival {
  const method = req.method ?? 'GET'
  const target = req.url ?? '/'
  const route = rooms.routes().byHost(context.host, method, target, upgrade) ?? notInCatalog
  return {
    door: 'tls',
    transport: upgrade ? 'websocket' : 'http',
    method,
    target,
    host: context.host,
    origin: rooms.originOf(route.provider, context.host, context.port, context.scheme),
    route,
    rawHeaders:
      context.alpn === 'h2' ? withoutPseudo(req.rawHeaders, context.host) : req.rawHeaders,
    peer: context.peer,
    ...(context.proxyCredential === undefined ? {} : { proxyCredential: context.proxyCredential }),
    http2: context.alpn === 'h2',
    body: upgrade ? null : req,
    goOn,
  }
}

const notInCatalog: Route = {
  provider: 'unknown',
  purpose: 'unknown',
  wire: 'opaque',
  webSocket: false,
  unknownBecause: 'the host is not in the catalog any more',
}

/** HTTP/2 says method, path and host as pseudo-headers (RFC 9113 8.3.1); `host` stands for them. */
function withoutPseudo(raw: readonly string[], host: string): string[] {
  const kept: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    if (!name.startsWith(':')) kept.push(name, raw[at + 1] as string)
  }
  if (findHeader(kept, 'host') === undefined) kept.unshift('host', host)
  return kept
}

/** Codes under which refused connections of nobody in particular are counted. */
const countedAs: Partial<Record<ConnectionRecord['reason'], FaultCode>> = {
  'address-refused': 'address-refused',
  'upstream-unreachable': 'upstream-unreachable',
  'too-many-connections': 'busy',
  'malformed-hello': 'request-malformed',
  'malformed-target': 'request-malformed',
  'http-malformed': 'request-malformed',
  'headers-too-large': 'request-malformed',
}

/**
 * A connection that passed, or that was refused to somebody we know, is an entry. Refusals to
 * strangers are counted per source and minute, so that nobody fills the disk with them.
 */
function note(rooms: Rooms, record: ConnectionRecord): void {
  const who = callerOf(rooms, record)
  if (who === null && record.outcome !== 'decrypted' && record.outcome !== 'tunnelled') {
    rooms.strangers.saw(record.peer, countedAs[record.reason] ?? 'host-not-permitted')
    return
  }
  const draft: EntryDraft = {
    kind: 'connection',
    atMs: record.atMs,
    subject: who,
    public: {
      mode: record.mode,
      outcome: record.outcome,
      reason: record.reason,
      port: record.port,
      alpn: record.alpn,
      ms: Math.round(record.ms),
      bytesUp: record.bytesUp,
      bytesDown: record.bytesDown,
    },
    private: { host: record.host, peer: record.peer, words: record.words },
  }
  rooms.record.note(draft).catch((cause: unknown) => {
    rooms.log('error', 'connection-not-recorded', String(cause))
  })
}

function callerOf(rooms: Rooms, record: ConnectionRecord): UserId | null {
  if (record.proxyCredential === undefined) return null
  try {
    return rooms.identifyTunnel(record.proxyCredential, record.peer).caller.user
  } catch (cause) {
    if (isFault(cause)) return null
    throw cause
  }
}

import type { Socket } from 'node:net'
import { isFault } from '#words/faults.ts'
import { HelloReader } from './client-hello.ts'
import type { HelloState } from './client-hello.ts'
import type { Connection } from './connection.ts'
import type { Decryptor } from './decrypt.ts'
import type {
  ConnectionReason,
  Context,
  DoorLimits,
  FilterInput,
  FilterVerdict,
  TlsDoorOptions,
} from './door-types.ts'
import { readAuthority } from './host-name.ts'
import { peek } from './peek.ts'
import { tunnel } from './tunnel.ts'

export type Door = {
  readonly options: TlsDoorOptions
  readonly bounds: DoorLimits
  readonly decryptor: Decryptor
}

const statusLines: Readonly<Record<number, string>> = {
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  407: '407 Proxy Authentication Required',
  429: '429 Too Many Requests',
  451: '451 Unavailable For Legal Reasons',
  502: '502 Bad Gateway',
  503: '503 Service Unavailable',
}

/**
 * One CONNECT (RFC 9110 9.3.6): ask the filter, then decrypt, tunnel or refuse.
 *
 * The name in the ClientHello must be the name in the CONNECT. A client that asks for an allowed
 * host and then greets another one is refused and recorded; that is how a shared front end would
 * be used to reach a host behind it.
 */
export async function serveConnect(
  door: Door,
  connection: Connection,
  request: {
    readonly target: string
    readonly hostHeader: string | undefined
    readonly proxyAuthorization: string | undefined
    readonly head: Buffer
  },
): Promise<void> {
  const { socket } = connection
  connection.mode = 'connect'
  const to = readAuthority(request.target, null)
  const hostHeader =
    request.hostHeader === undefined ? to : readAuthority(request.hostHeader, to?.port ?? null)
  if (to === null || hostHeader?.host !== to.host) {
    return connection.refuseHttp(
      statusLines[400] as string,
      'malformed-target',
      'Postern: CONNECT needs host:port, and the same in Host.',
    )
  }
  connection.host = to.host
  connection.port = to.port
  if (request.head.length > 0) socket.unshift(request.head)
  const verdict = await askFilter(door, connection, {
    host: to.host,
    port: to.port,
    mode: 'connect',
    scheme: 'https',
    peer: connection.peer,
    ...(request.proxyAuthorization === undefined
      ? {}
      : { proxyAuthorization: request.proxyAuthorization }),
  })
  if (socket.destroyed) return
  if (verdict.kind === 'refuse') return refuseConnect(connection, verdict)
  if (verdict.kind === 'tunnel') return await tunnelConnect(door, connection, to.isAddress)
  if (!door.options.authority.permits(to.host)) return notPermitted(connection)
  socket.write(established)
  await decryptConnect(door, connection)
}

const established = 'HTTP/1.1 200 Connection Established\r\n\r\n'

function notPermitted(connection: Connection): void {
  connection.refuseHttp(
    statusLines[403] as string,
    'host-not-permitted',
    `Postern: the trusted certificate authority does not permit ${connection.host}.`,
  )
}

function refuseConnect(connection: Connection, verdict: Refusal): void {
  const status = verdict.status ?? 403
  connection.refuseHttp(
    statusLines[status] ?? `${status} Refused`,
    verdict.reason ?? 'filter',
    verdict.words,
    status === 407 ? 'proxy-authenticate: Basic realm="Postern"\r\n' : '',
  )
}

type Refusal = FilterVerdict & { readonly reason?: ConnectionReason }

/** Fails closed: a filter that throws refuses. */
export async function askFilter(
  door: Door,
  connection: Connection,
  input: FilterInput,
): Promise<Refusal> {
  try {
    const verdict = await door.options.filter(input)
    connection.proxyCredential = verdict.proxyCredential
    return verdict
  } catch (cause) {
    const words = isFault(cause) ? cause.outward : 'Postern: the gate could not decide.'
    return { kind: 'refuse', status: 503, words, reason: 'filter-failed' }
  }
}

async function decryptConnect(door: Door, connection: Connection): Promise<void> {
  const state = await readHello(new HelloReader(), connection, door.bounds.headerReadMsMax)
  if (state === null) return
  const { host, port, peer, mode, proxyCredential } = connection
  const context = {
    host,
    port,
    mode,
    peer,
    ...(proxyCredential === undefined ? {} : { proxyCredential }),
  }
  if (state.kind === 'not-tls') {
    // Plain HTTP inside a CONNECT, as some clients do for http: URLs.
    door.decryptor.takePlain(connection, {
      ...context,
      scheme: 'http',
      alpn: 'http/1.1',
      hello: null,
    })
    return
  }
  if (state.kind !== 'hello') {
    return connection.refuseTls('malformed-hello', state.kind === 'broken' ? state.why : '')
  }
  connection.hello = state.hello
  if (state.hello.sni === null) return connection.refuseTls('no-server-name')
  if (state.hello.sni !== host) {
    return connection.refuseTls('sni-mismatch', `the hello names ${state.hello.sni}`)
  }
  await handToTls(door, connection, { ...context, scheme: 'https', hello: state.hello })
}

/** Never mis-signed: a host for which no valid leaf can be made is refused. */
export async function handToTls(
  door: Door,
  connection: Connection,
  context: Omit<Context, 'alpn'>,
): Promise<void> {
  try {
    await door.decryptor.takeTls(connection, context)
  } catch (cause) {
    const fault = isFault(cause) ? cause : null
    connection.refuseTls('host-not-permitted', fault?.inward ?? String(cause))
  }
}

/** The state of the hello once it is decided, or null when the connection is over. */
export async function readHello(
  reader: HelloReader,
  connection: Connection,
  msMax: number | null,
): Promise<HelloState | null> {
  let state: HelloState = { kind: 'more' }
  const outcome = await peek(
    connection.socket,
    (chunk) => {
      state = reader.feed(chunk)
      return state.kind !== 'more'
    },
    msMax,
  )
  if (outcome === 'ready') return state
  connection.hello = null
  if (outcome === 'timeout') connection.refuse('hello-timeout')
  else if (reader.bytes.length > 0) connection.refuse('malformed-hello', 'it ended in the middle')
  else connection.ended('failed')
  connection.socket.destroy()
  return null
}

async function tunnelConnect(
  door: Door,
  connection: Connection,
  isAddress: boolean,
): Promise<void> {
  const upstream = await connectUpstream(door, connection)
  if (typeof upstream === 'string') {
    const status = upstream === 'address-refused' ? 403 : 502
    return connection.refuseHttp(
      statusLines[status] as string,
      upstream,
      upstream === 'address-refused'
        ? `Postern: the address of ${connection.host} is not one that the gate connects to.`
        : `Postern: ${connection.host}:${connection.port} cannot be reached.`,
    )
  }
  connection.socket.write(established)
  await watchTunnel(door, connection, upstream, isAddress)
}

/** The socket, or why there is none. The client hears no detail: that would be a port scanner. */
export async function connectUpstream(
  door: Door,
  connection: Connection,
): Promise<Socket | 'address-refused' | 'upstream-unreachable'> {
  try {
    const upstream = await door.options.connect(connection.host, connection.port)
    upstream.on('error', () => {
      // `close` follows, and ends the tunnel.
    })
    if (!connection.socket.destroyed) return upstream
    upstream.destroy()
    return 'upstream-unreachable'
  } catch (cause) {
    return isFault(cause, 'address-refused') ? 'address-refused' : 'upstream-unreachable'
  }
}

/**
 * A tunnel whose first bytes are still looked at: when they are a ClientHello its name must be
 * the host that the filter allowed. The server may speak first, so its bytes flow meanwhile.
 */
async function watchTunnel(
  door: Door,
  connection: Connection,
  upstream: Socket,
  isAddress: boolean,
): Promise<void> {
  const { socket } = connection
  const idleMsMax = door.bounds.upstreamIdleMsMax
  const early = (chunk: Buffer): void => {
    if (!socket.write(chunk)) {
      upstream.pause()
      socket.once('drain', () => upstream.resume())
    }
  }
  upstream.on('data', early)
  const gone = (): void => socket.destroySoon()
  upstream.once('close', gone)
  const reader = new HelloReader()
  const state = await readHello(reader, connection, idleMsMax)
  upstream.off('data', early)
  upstream.off('close', gone)
  if (state === null) {
    upstream.destroy()
    return
  }
  if (state.kind === 'broken' || state.kind === 'hello') {
    const wrong = wrongHello(state, connection, isAddress)
    if (wrong !== null) {
      upstream.destroy()
      return connection.refuseTls(wrong.reason, wrong.words)
    }
  }
  await runTunnel(door, connection, upstream)
}

function wrongHello(
  state: HelloState,
  connection: Connection,
  isAddress: boolean,
): { readonly reason: ConnectionReason; readonly words: string } | null {
  if (state.kind === 'broken') return { reason: 'malformed-hello', words: state.why }
  if (state.kind !== 'hello') return null
  connection.hello = state.hello
  const { sni } = state.hello
  if (sni === connection.host || (sni === null && isAddress)) return null
  if (sni === null) return { reason: 'no-server-name', words: '' }
  return { reason: 'sni-mismatch', words: `the hello names ${sni}` }
}

export async function runTunnel(
  door: Door,
  connection: Connection,
  upstream: Socket,
): Promise<void> {
  connection.ended('tunnelled')
  await tunnel(connection.socket, upstream, {
    msMax: door.bounds.upstreamIdleMsMax,
    onIdle: () => connection.ended('tunnelled', 'idle'),
  })
}

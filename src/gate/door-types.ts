import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { SecureContext } from 'node:tls'
import type { World } from '#words/clock.ts'
import type { ClientHello } from './client-hello.ts'

/**
 * How the client came: by CONNECT, by a proxy request with a whole URL, or without knowing of us
 * (then the host is what its SNI or Host header says, never the address it dialled).
 */
export type Mode = 'connect' | 'absolute-form' | 'transparent'

export type FilterInput = {
  /** A DNS name in lower case, or an IP address without brackets. */
  readonly host: string
  readonly port: number
  readonly mode: Mode
  readonly scheme: 'http' | 'https'
  readonly peer: string
  /** The Proxy-Authorization header as it came. Never logged. */
  readonly proxyAuthorization?: string
}

export type FilterVerdict = {
  readonly kind: 'decrypt' | 'tunnel' | 'refuse'
  /** HTTP status of a refusal by CONNECT; 403 when it says none. 407 asks for credentials. */
  readonly status?: number
  /** For the person: why. */
  readonly words: string
  /** Handed on in `Context` to every request inside. */
  readonly proxyCredential?: string
}

/** What every request of one connection has in common. */
export type Context = {
  readonly host: string
  readonly port: number
  readonly scheme: 'http' | 'https'
  readonly mode: Mode
  readonly alpn: 'h2' | 'http/1.1'
  readonly peer: string
  readonly proxyCredential?: string
  readonly hello: ClientHello | null
}

export type ConnectionRecord = {
  readonly atMs: number
  readonly ms: number
  readonly peer: string
  readonly mode: Mode
  /** Empty when none could be read. */
  readonly host: string
  readonly port: number
  readonly outcome: 'decrypted' | 'tunnelled' | 'refused' | 'failed'
  /** Empty when nothing went wrong. */
  readonly reason: ConnectionReason | ''
  /** The filter's words, or detail for our own log. */
  readonly words: string
  /** On the wire of the client, TLS and proxy heads included. */
  readonly bytesUp: number
  readonly bytesDown: number
  readonly alpn: string
  readonly hello: ClientHello | null
  readonly proxyCredential?: string
}

export type ConnectionReason =
  | 'filter'
  | 'filter-failed'
  | 'malformed-target'
  | 'malformed-hello'
  | 'hello-timeout'
  | 'no-server-name'
  | 'sni-mismatch'
  | 'ech-outer-name'
  | 'host-not-permitted'
  | 'host-mismatch'
  | 'upstream-unreachable'
  | 'address-refused'
  | 'tls-handshake'
  | 'client-refused-certificate'
  | 'http-malformed'
  | 'headers-too-large'
  | 'slow-client'
  | 'h2-rapid-reset'
  | 'too-many-connections'
  | 'idle'
  | 'cut'

export type AnyRequest = IncomingMessage | Http2ServerRequest
export type AnyResponse = ServerResponse | Http2ServerResponse

export type TlsDoorOptions = {
  readonly world: World
  /** `openAuthority`, or whatever a test or the review brings. */
  readonly authority: {
    permits(host: string): boolean
    secureContextFor(host: string): Promise<SecureContext>
  }
  /** Asked once for each connection (for each request in `absolute-form`). A throw refuses. */
  readonly filter: (input: FilterInput) => FilterVerdict | Promise<FilterVerdict>
  /** `waits`: the client holds its body back until it reads `100 Continue`. */
  readonly onRequest: (req: AnyRequest, res: AnyResponse, context: Context, waits: boolean) => void
  readonly onUpgrade: (req: IncomingMessage, socket: Duplex, head: Buffer, context: Context) => void
  /** Told once at the end of each connection, and for each refused request inside one. */
  readonly onConnection: (record: ConnectionRecord) => void
  /** Resolves the name, checks the address, connects. Throws `address-refused` and the like. */
  readonly connect: (host: string, port: number) => Promise<Socket>
  /** 48 bytes that the workers of one gate share, so that a TLS session resumes at each. */
  readonly ticketKeys?: Buffer
  /** Where a client that does not know of us meant to go. */
  readonly transparentPorts?: { readonly tls: number; readonly http: number }
  readonly limits?: Partial<DoorLimits>
}

export type DoorLimits = {
  readonly headerReadMsMax: number
  readonly requestReadMsMax: number
  readonly requestHeaderBytesMax: number
  readonly requestHeaderCountMax: number
  readonly requestTargetBytesMax: number
  readonly connectionsPerWorkerMax: number
  readonly upstreamIdleMsMax: number
  readonly h2StreamsPerSessionMax: number
  readonly h2ResetsPerMinuteMax: number
}

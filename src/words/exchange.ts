import type { Purpose, WireFormat } from './catalog.ts'
import type { Custody, Level } from './decision.ts'
import type {
  DeviceId,
  ExchangeId,
  GroupId,
  ProviderId,
  SiteId,
  TokenId,
  ToolId,
  UserId,
} from './ids.ts'

export type Door = 'base-url' | 'tls'

/**
 * One request of a tool, as it came in. For a WebSocket, each client message that asks for an
 * answer (`response.create`) is an exchange of its own.
 */
export type Exchange = {
  readonly id: ExchangeId
  readonly door: Door
  readonly transport: 'http' | 'websocket'
  /** Policy time at which the last byte of the request was in, epoch milliseconds. */
  readonly atMs: number
  readonly method: string
  /** Request target as the client wrote it, below the provider's mount: `/v1/messages?beta=true`. */
  readonly target: string
  /** The host that the request is meant for, lower case, without port. */
  readonly host: string
  readonly provider: ProviderId | 'unknown'
  readonly purpose: Purpose
  readonly wire: WireFormat
  /** Why the endpoint is `unknown`, in words for a person. */
  readonly unknownBecause?: string
  /** Raw names and values in turn, as `node:http` gives them. */
  readonly rawHeaders: readonly string[]
  /** The body as it came (still encoded), or the WebSocket message. */
  readonly body: Buffer
  /** The body as it is to be read: decoded. The same buffer when there is no encoding. */
  readonly readable: Buffer
  /** Address of the peer, for records of strangers. */
  readonly peer: string
}

/** How sure we are of a thing that we were told. */
export type Confidence = 'proven' | 'claimed' | 'guessed' | 'unknown'

/** Who is asking, and how sure we are of each part. */
export type Caller = {
  /** `proxy`: one CONNECT's credentials stand for every request inside its tunnel. */
  readonly by: 'token' | 'launch'
  readonly credential: TokenId
  readonly user: UserId
  readonly groups: readonly GroupId[]
  readonly device: DeviceId | 'unknown'
  readonly site: SiteId | 'unknown'
  readonly country: string
  readonly tool: ToolId | 'unknown'
  readonly toolConfidence: Confidence
  readonly release: string
  readonly releaseDigest: string
  readonly releaseConfidence: Confidence
  readonly repository: string
  readonly classification: string
  readonly launch: string
  readonly level: Level
  readonly custody: Custody
  /** Is a person looking at a screen? `unknown` where the client does not tell. */
  readonly interactive: 'yes' | 'no' | 'unknown'
}

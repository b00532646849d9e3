import type { Readable } from 'node:stream'

export type SendRequest = {
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  /** Scheme, host and port of the upstream; a path in it is not looked at. */
  readonly origin: URL
  readonly signal: AbortSignal
  /** HTTP/2 may be spoken, because the client itself came by it; the upstream's ALPN decides. */
  readonly http2: boolean
}

export type Upstream = {
  readonly status: number
  readonly statusText: string
  readonly rawHeaders: readonly string[]
  readonly body: Readable
  /** Raw names and values in turn; complete when `body` has ended. */
  trailers(): readonly string[]
  readonly protocol: 'h1' | 'h2'
}

export function portOf(origin: URL): number {
  if (origin.port !== '') return Number(origin.port)
  return origin.protocol === 'https:' || origin.protocol === 'wss:' ? 443 : 80
}

import type { Readable } from 'node:stream'
import type { Socket } from 'node:net'
import type { World } from '#words/clock.ts'
import type { Content } from '#words/content.ts'
import type { Profile } from '#words/decision.ts'
import type { EntryDraft, Recorder } from '#words/entry.ts'
import type { Caller, Door, Exchange } from '#words/exchange.ts'
import type { FaultCode } from '#words/fault-codes.ts'
import type { Verdict } from '#words/verdict.ts'
import type { InFlight } from './in-flight.ts'
import type { Route, Routes } from './routes.ts'

/**
 * What the gate needs of the other rooms, described here by just that much. `main.ts` fits the
 * real rooms in; the road in `pass.ts` never knows who built them.
 */
export type Rooms = {
  readonly world: World
  /** Policy time, epoch ms; throws `clock-stepped` when the clock went back too far. */
  policyNowMs(): number
  readonly identify: (arrival: Arrival) => Identified
  /** Who opened a tunnel: its credential alone is known. Throws `token-*`. */
  readonly identifyTunnel: (proxyCredential: string, peer: string) => Identified
  readonly inspect: (exchange: Exchange, callerKey: string) => Content
  readonly readAnswer: (exchange: Exchange, content: Content, head: AnswerHead) => AnswerReader
  readonly decide: (exchange: Exchange, caller: Caller, content: Content) => Verdict
  readonly connection: (caller: Caller | null, host: string, port: number) => ConnectionVerdict
  readonly record: Recorder
  readonly forward: ForwardRoom
  readonly routes: () => Routes
  readonly inFlight: InFlight
  readonly open: OpenStreams
  readonly strangers: {
    saw(peer: string, code: FaultCode): void
    drain(all?: boolean): EntryDraft[]
  }
  readonly defaultProfile: () => Profile
  readonly requestBodyBytesMax: number
  /** Where to send a host of the catalog: its own origin, or the override of the configuration. */
  readonly originOf: (provider: string, host: string, port: number, scheme: 'http' | 'https') => URL
  readonly log: (level: 'info' | 'warn' | 'error', event: string, detail: string) => void
}

/** A request whose headers are in and whose body is not. */
export type Arrival = {
  readonly door: Door
  readonly transport: 'http' | 'websocket'
  readonly method: string
  readonly target: string
  readonly host: string
  readonly origin: URL
  readonly route: Route
  readonly rawHeaders: readonly string[]
  readonly peer: string
  readonly proxyCredential?: string
  /** The client came by HTTP/2, so the same may be spoken upstream. */
  readonly http2: boolean
  /** The body; null when the request cannot have one. */
  readonly body: Readable | null
  /** Tells a client that waits for `100 Continue` to go on. */
  readonly goOn: () => void
}

export type Identified = {
  readonly caller: Caller
  /** Lower-case names of the headers that carried our credential and end here. */
  readonly strip: readonly string[]
}

export type ConnectionVerdict = {
  readonly kind: 'decrypt' | 'tunnel' | 'refuse'
  readonly words: string
}

export type AnswerHead = {
  readonly status: number
  readonly contentType: string
  readonly encoding: string
}

export type AnswerReader = { write(chunk: Buffer): void; end(): AnswerSummary }

export type AnswerSummary = {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly stopReason: string
  readonly findings: Readonly<Record<string, number>>
  readonly broken: string
}

export type ForwardRoom = {
  send(request: {
    readonly method: string
    readonly target: string
    readonly rawHeaders: readonly string[]
    readonly body: Buffer
    readonly origin: URL
    readonly signal: AbortSignal
    readonly http2: boolean
  }): Promise<Upstream>
  upgrade(request: {
    readonly target: string
    readonly rawHeaders: readonly string[]
    readonly origin: URL
    readonly signal: AbortSignal
  }): Promise<{
    readonly status: number
    readonly rawHeaders: readonly string[]
    readonly socket: Socket
    readonly head: Buffer
  }>
  connect(to: { readonly host: string; readonly port: number }): Promise<Socket>
}

export type Upstream = {
  readonly status: number
  readonly statusText: string
  readonly rawHeaders: readonly string[]
  readonly body: Readable
  trailers(): readonly string[]
}

/** Exchanges whose answer is still running: a decision that starts may cut them. */
export type OpenStreams = {
  add(open: {
    readonly exchange: Exchange
    readonly caller: Caller
    readonly content: Content
    cut(why: string): void
  }): Disposable
}

/** What the threads and processes of one gate say to each other. Plain data, no functions. */

export type WorkerData = {
  readonly role: 'gate-worker'
  readonly node: string
  readonly origin: string
  readonly rootFile: string
  readonly timeFile: string
  readonly spoolDir: string
  readonly nodeKeyPem: string
  readonly sealingPublicPem: string
  readonly pseudonymKey: Uint8Array
  readonly bundle: string
  readonly host: string
  readonly baseUrlPort: number
  readonly tlsPort: number
  readonly authority: { readonly certPem: string; readonly keyPem: string } | null
  readonly ticketKeys: Uint8Array
  readonly providerBaseUrls: Readonly<Record<string, string>>
  readonly upstreamAddressesAllowed: readonly string[]
  readonly upstreamCaPems: readonly string[]
  readonly bytesInFlightMax: number
  readonly requestBodyBytesMax: number
  /** Post each verdict to the main thread, for a person who watches. */
  readonly feed: boolean
}

export type VerdictEvent = {
  readonly kind: 'verdict'
  readonly atMs: number
  readonly door: string
  readonly tool: string
  readonly release: string
  readonly purpose: string
  readonly model: string
  readonly verdict: string
  readonly wouldBe: string
  readonly message: string
  readonly reason: string
  readonly reference: string
}

export type FromWorker =
  | { readonly kind: 'ready'; readonly baseUrlPort: number; readonly tlsPort: number }
  | VerdictEvent
  | {
      readonly kind: 'log'
      readonly level: 'info' | 'warn' | 'error'
      readonly event: string
      readonly detail: string
    }
  | { readonly kind: 'durable'; readonly segment: number; readonly counter: number }
  | { readonly kind: 'closed' }

export type ToWorker =
  | { readonly kind: 'bundle'; readonly bundle: string }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'freed'; readonly bytes: number }
  | { readonly kind: 'close'; readonly graceMs: number }

/** From the gate process (or control) to `postern up`, over the IPC channel. */
export type FromProcess =
  | { readonly kind: 'gate-ready'; readonly baseUrlPort: number; readonly tlsPort: number }
  | { readonly kind: 'control-ready'; readonly statusUrl: string }
  | VerdictEvent
  | { readonly kind: 'failed'; readonly words: string }

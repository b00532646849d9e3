import type { GateState } from './gate-channel.ts'

/** All that the status page shows; plain data, people as pseudonyms. */
export type StatusView = {
  readonly nowMs: number
  readonly origin: string
  readonly gates: readonly GateState[]
  readonly bundle: {
    readonly counter: number
    readonly issuedAtMs: number
    readonly validUntilMs: number
  } | null
  readonly log: {
    readonly size: number
    readonly root: string
    /** Names below the checkpoint besides the log's own. */
    readonly witnesses: readonly string[]
    readonly witnessesConfigured: number
  } | null
  /** `complaint` is set when the log cannot be read; the page says so instead of an empty list. */
  readonly complaint: string | null
  readonly recent: readonly RecentVerdict[]
  readonly counts: {
    /** `store`: all of it; `tail`: only the entries that were read for `recent`. */
    readonly from: 'store' | 'tail'
    readonly rows: readonly { readonly verdict: string; readonly n: number }[]
  }
  readonly store: { readonly state: string; readonly lag: number }
  readonly decisions: readonly ListedDecision[]
}

export type RecentVerdict = {
  readonly atMs: number
  readonly reference: string
  readonly subject: string
  readonly tool: string
  readonly release: string
  readonly provider: string
  readonly verdict: string
  readonly wouldBe: string
  readonly decision: string
  /** How the exchange ended; empty while it is open. */
  readonly result: string
}

export type ListedDecision = {
  readonly id: string
  readonly subject: string
  readonly status: string
  readonly scope: string
  readonly from: string
  readonly until: string
  readonly announced: string
  readonly profile: string
  readonly instead: string
  readonly withdrawn: boolean
}

import type { Caller, Exchange } from './exchange.ts'
import type { Content } from './content.ts'
import type { NodeId } from './ids.ts'
import type { Verdict } from './verdict.ts'

/**
 * What a room hands to the log. `public` goes into the leaf as it stands, so it holds pseudonyms,
 * lengths, classes and digests only. Each member of `private` becomes a salted commitment in the
 * leaf; its value and salt go, encrypted for the subject, into the opening beside the tree.
 */
export type EntryDraft = {
  /** `verdict`, `outcome`, `connection`, `strangers`, `register`, `bundle`, `key`, `node`, `review`. */
  readonly kind: EntryKind
  readonly atMs: number
  /** Whose entry it is (a user or device id, before pseudonymisation); null for the house's own. */
  readonly subject: string | null
  readonly public: Readonly<Record<string, PublicValue>>
  readonly private: Readonly<Record<string, string>>
}

export type EntryKind =
  | 'verdict'
  | 'outcome'
  | 'connection'
  | 'strangers'
  | 'register'
  | 'bundle'
  | 'key'
  | 'node'
  | 'review'

export type PublicValue =
  | string
  | number
  | boolean
  | null
  | readonly PublicValue[]
  | { readonly [key: string]: PublicValue }

/** How an exchange ended, told when the last byte was out. */
export type Outcome = {
  readonly result: 'answered' | 'refused' | 'failed' | 'aborted' | 'cut' | 'unknown'
  /** Status that the client saw; 0 when none. */
  readonly status: number
  readonly bytesUp: number
  readonly bytesDown: number
  /** Milliseconds from the last request byte in to the first answer byte out; -1 when none. */
  readonly firstByteMs: number
  readonly totalMs: number
  /** From the provider's own `usage`; -1 when it gave none. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly stopReason: string
  /** Findings in the answer, class/rule -> count. */
  readonly findings: Readonly<Record<string, number>>
  readonly fault: string
}

/** A verdict that is durable. Its outcome is written when it is closed, whatever happened. */
export type OpenEntry = AsyncDisposable & {
  readonly node: NodeId
  /** Position in the node's spool. */
  readonly counter: number
  close(outcome: Outcome): void
}

/**
 * The `record` room, as the gate sees it.
 *
 * Fails closed: `open` resolves only when the entry is on disk and covered by a receipt; it throws
 * `spool-full` when it cannot be.
 */
export type Recorder = {
  open(
    exchange: Exchange,
    caller: Caller,
    content: Content,
    verdict: Verdict,
    /** The complete Cedar request as evaluated (JSON), so that it can be decided again offline. */
    decisionInput?: string,
  ): Promise<OpenEntry>
  /** Writes an entry that opens nothing. Resolves when it is durable. */
  note(draft: EntryDraft): Promise<void>
}

/**
 * The projections: what the log says, laid out for questions. Nothing here is the truth; every
 * row comes from a leaf and can be dropped. People are pseudonyms.
 *
 * Types are those of PostgreSQL 15; PGlite and PostgreSQL answer to the same text.
 */
export type Tables = {
  entries: EntryRow
  exchanges: ExchangeRow & Partial<OutcomeColumns>
  decisions: DecisionRow
  connections: ConnectionRow
  checkpoints: CheckpointRow
  progress: { readonly one: number; readonly next_index: number; readonly at_ms: number }
}

export type EntryRow = {
  readonly index: number
  readonly at_ms: number
  readonly kind: string
  readonly node: string
  readonly counter: number
  readonly subject: string | null
  /** Null where the kind has a table of its own that says all of it. */
  readonly body: object | null
}

export type ExchangeRow = {
  readonly node: string
  readonly counter: number
  readonly index: number
  readonly at_ms: number
  readonly exchange: string
  readonly subject: string | null
  readonly door: string
  readonly tool: string
  readonly release: string
  readonly provider: string
  readonly purpose: string
  readonly model: string
  readonly verdict: string
  readonly would_be: string
  readonly profile: string
  readonly status: string
  readonly decision: string | null
  readonly bundle_counter: number
  readonly body_bytes: number
  readonly findings: number
}

export type OutcomeColumns = {
  readonly outcome_index: number
  readonly result: string
  readonly http_status: number
  readonly bytes_up: number
  readonly bytes_down: number
  readonly first_byte_ms: number
  readonly total_ms: number
  readonly input_tokens: number
  readonly output_tokens: number
}
export type OutcomeRow = OutcomeColumns & { readonly node: string; readonly counter: number }

/** A transition of the register, as the log tells it; who is concerned stands in openings only. */
export type DecisionRow = {
  readonly index: number
  readonly at_ms: number
  readonly change: string
  readonly decision: string | null
  readonly revision: number
  readonly subject: string
  readonly status: string
  readonly withdrawn: boolean
}

export type ConnectionRow = {
  readonly index: number
  readonly at_ms: number
  readonly node: string
  readonly subject: string | null
  readonly mode: string
  readonly outcome: string
  readonly port: number
  readonly bytes_up: number
  readonly bytes_down: number
}

export type CheckpointRow = {
  readonly size: number
  readonly at_ms: number
  readonly root: string
  readonly witnesses: number
}

/** What one pass of the projector adds; applied whole or not at all. */
export type Batch = {
  readonly entries: readonly EntryRow[]
  readonly exchanges: readonly ExchangeRow[]
  readonly outcomes: readonly OutcomeRow[]
  readonly decisions: readonly DecisionRow[]
  readonly connections: readonly ConnectionRow[]
  readonly checkpoints: readonly CheckpointRow[]
  /** The index that comes next; a batch that does not start at the store's own is refused. */
  readonly from: number
  readonly next: number
}

type ColumnType = 'bigint' | 'integer' | 'double precision' | 'text' | 'jsonb' | 'boolean'

/** Column types, in the order in which they are made. */
export const columns = {
  entries: {
    index: 'bigint',
    at_ms: 'bigint',
    kind: 'text',
    node: 'text',
    counter: 'bigint',
    subject: 'text',
    body: 'jsonb',
  },
  exchanges: {
    node: 'text',
    counter: 'bigint',
    index: 'bigint',
    at_ms: 'bigint',
    exchange: 'text',
    subject: 'text',
    door: 'text',
    tool: 'text',
    release: 'text',
    provider: 'text',
    purpose: 'text',
    model: 'text',
    verdict: 'text',
    would_be: 'text',
    profile: 'text',
    status: 'text',
    decision: 'text',
    bundle_counter: 'bigint',
    body_bytes: 'bigint',
    findings: 'integer',
  },
  outcomes: {
    outcome_index: 'bigint',
    result: 'text',
    http_status: 'integer',
    bytes_up: 'bigint',
    bytes_down: 'bigint',
    first_byte_ms: 'double precision',
    total_ms: 'double precision',
    input_tokens: 'bigint',
    output_tokens: 'bigint',
  },
  decisions: {
    index: 'bigint',
    at_ms: 'bigint',
    change: 'text',
    decision: 'text',
    revision: 'integer',
    subject: 'text',
    status: 'text',
    withdrawn: 'boolean',
  },
  connections: {
    index: 'bigint',
    at_ms: 'bigint',
    node: 'text',
    subject: 'text',
    mode: 'text',
    outcome: 'text',
    port: 'integer',
    bytes_up: 'bigint',
    bytes_down: 'bigint',
  },
  checkpoints: { size: 'bigint', at_ms: 'bigint', root: 'text', witnesses: 'integer' },
} as const satisfies Record<string, Record<string, ColumnType>>

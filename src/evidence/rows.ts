import type { Batch } from '#store/tables.ts'
import { numberOf, objectOf, textOf } from './log-reader.ts'
import type { ReadLeaf } from './log-reader.ts'

type Rows = {
  -readonly [Table in Exclude<keyof Batch, 'from' | 'next' | 'checkpoints'>]: Batch[Table][number][]
}

/**
 * Lays leaves out as rows. A leaf of a kind or shape that we do not know still becomes an entry,
 * so the count of entries is always that of the log.
 */
export function rowsOf(leaves: readonly ReadLeaf[]): Rows {
  const rows: Rows = { entries: [], exchanges: [], outcomes: [], decisions: [], connections: [] }
  for (const leaf of leaves) {
    const { index, at, counter, kind, node, subject } = leaf
    const own = tableOf(leaf, rows)
    rows.entries.push({
      index,
      at_ms: whole(at),
      kind,
      node,
      counter: whole(counter),
      subject,
      body: own ? null : leaf.public,
    })
  }
  return rows
}

function tableOf(leaf: ReadLeaf, rows: Rows): boolean {
  switch (leaf.kind) {
    case 'verdict':
      rows.exchanges.push(exchangeOf(leaf))
      return true
    case 'outcome':
      rows.outcomes.push(outcomeOf(leaf))
      return true
    case 'register':
      rows.decisions.push(decisionOf(leaf))
      return false
    case 'connection':
      rows.connections.push(connectionOf(leaf))
      return true
    default:
      return false
  }
}

function exchangeOf(leaf: ReadLeaf): Batch['exchanges'][number] {
  const { public: said } = leaf
  return {
    node: leaf.node,
    counter: whole(leaf.counter),
    index: leaf.index,
    at_ms: whole(leaf.at),
    exchange: textOf(said['exchange']),
    subject: leaf.subject,
    door: textOf(said['door']),
    tool: textOf(said['tool']),
    release: textOf(said['release']),
    provider: textOf(said['provider']),
    purpose: textOf(said['purpose']),
    model: textOf(said['model']),
    verdict: textOf(said['verdict']),
    would_be: textOf(said['wouldBe']),
    profile: textOf(said['profile']),
    status: textOf(said['status']),
    decision: typeof said['decision'] === 'string' ? said['decision'] : null,
    bundle_counter: whole(objectOf(said['bundle'])['counter']),
    body_bytes: whole(said['bytes']),
    findings: small(sum(said['findings'])),
  }
}

function outcomeOf(leaf: ReadLeaf): Batch['outcomes'][number] {
  const { public: said } = leaf
  return {
    node: leaf.node,
    counter: whole(leaf.of),
    outcome_index: leaf.index,
    result: textOf(said['result']),
    http_status: small(said['status']),
    bytes_up: whole(said['bytesUp']),
    bytes_down: whole(said['bytesDown']),
    first_byte_ms: numberOf(said['firstByteMs']),
    total_ms: numberOf(said['totalMs']),
    input_tokens: whole(said['inputTokens']),
    output_tokens: whole(said['outputTokens']),
  }
}

function decisionOf(leaf: ReadLeaf): Batch['decisions'][number] {
  const { public: said } = leaf
  return {
    index: leaf.index,
    at_ms: whole(leaf.at),
    change: textOf(said['change']),
    decision: typeof said['decision'] === 'string' ? said['decision'] : null,
    revision: small(said['revision']),
    subject: textOf(said['subject']),
    status: textOf(said['status']),
    withdrawn: said['withdrawn'] === true,
  }
}

function connectionOf(leaf: ReadLeaf): Batch['connections'][number] {
  const { public: said } = leaf
  return {
    index: leaf.index,
    at_ms: whole(leaf.at),
    node: leaf.node,
    subject: leaf.subject,
    mode: textOf(said['mode']),
    outcome: textOf(said['outcome']),
    port: small(said['port']),
    bytes_up: whole(said['bytesUp']),
    bytes_down: whole(said['bytesDown']),
  }
}

function whole(value: unknown): number {
  return Math.trunc(numberOf(value))
}

/** For `integer` columns: one number that does not fit must not stop the batch. */
function small(value: unknown): number {
  return Math.max(-1, Math.min(whole(value), 2_147_483_647))
}

function sum(counts: unknown): number {
  let total = 0
  for (const count of Object.values(objectOf(counts))) total += Math.max(0, whole(count))
  return total
}

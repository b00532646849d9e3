import type { LogReader, ReadLeaf } from '#evidence/log-reader.ts'
import { numberOf, textOf } from '#evidence/log-reader.ts'
import type { Projector } from '#evidence/projector.ts'
import { countVerdicts } from '#evidence/queries.ts'
import type { RegisterService } from '#register/service.ts'
import type { Store } from '#store/store.ts'
import type { Scope, When } from '#words/decision.ts'
import { isFault } from '#words/faults.ts'
import type { GateChannel } from './gate-channel.ts'
import type { Publisher } from './publisher.ts'
import type { ListedDecision, RecentVerdict, StatusView } from './status-view.ts'

const tailLeaves = 1_024
const recentMax = 50

/**
 * Gathers what the status page shows. The store may be down, asleep or behind: recent verdicts
 * come from the log itself, and counts say whether they are of everything or of the tail.
 */
export async function collectStatus(from: {
  readonly nowMs: number
  readonly origin: string
  readonly channel: GateChannel
  readonly publisher: Publisher
  readonly reader: LogReader
  readonly store: Store
  readonly projector: Projector
  readonly register: RegisterService
  readonly witnessesConfigured: number
}): Promise<StatusView> {
  const bundle = from.publisher.current()?.manifest ?? null
  let complaint: string | null = null
  let log: StatusView['log'] = null
  let leaves: ReadLeaf[] = []
  try {
    const checkpoint = await from.reader.checkpoint()
    if (checkpoint !== null) {
      const { size } = checkpoint
      log = {
        size,
        root: checkpoint.root.toString('hex'),
        witnesses: checkpoint.note.lines.map((line) => line.name).filter((n) => n !== from.origin),
        witnessesConfigured: from.witnessesConfigured,
      }
      leaves = await from.reader.read(Math.max(0, size - tailLeaves), size, size)
    }
  } catch (error) {
    if (!isFault(error)) throw error
    complaint = `The log cannot be read: ${error.outward}`
  }
  const recent = recentOf(leaves)
  return {
    nowMs: from.nowMs,
    origin: from.origin,
    gates: from.channel.states(),
    bundle,
    log,
    complaint,
    recent: recent.slice(0, recentMax),
    counts: (await countsOfAll(from.store)) ?? { from: 'tail', rows: countTail(recent) },
    store: { state: from.store.state(), lag: from.projector.state().lag },
    decisions: from.register.list().map(listed),
  }
}

/** Never waits for a store that is not up: a page must not take three seconds. */
async function countsOfAll(store: Store): Promise<StatusView['counts'] | null> {
  if (store.state() !== 'ready') return null
  try {
    const rows = await store.select(countVerdicts(0))
    const byVerdict = new Map<string, number>()
    for (const { verdict, n } of rows) byVerdict.set(verdict, (byVerdict.get(verdict) ?? 0) + n)
    return { from: 'store', rows: [...byVerdict].map(([verdict, n]) => ({ verdict, n })) }
  } catch (error) {
    if (isFault(error, 'store-unavailable')) return null
    throw error
  }
}

function countTail(recent: readonly RecentVerdict[]): { verdict: string; n: number }[] {
  const counts = new Map<string, number>()
  for (const { verdict } of recent) counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([verdict, n]) => ({ verdict, n }))
}

/** Newest first, each with its outcome where the tail holds it. */
function recentOf(leaves: readonly ReadLeaf[]): RecentVerdict[] {
  const results = new Map<string, string>()
  const recent: RecentVerdict[] = []
  for (const leaf of leaves.toReversed()) {
    if (leaf.kind === 'outcome') {
      const status = numberOf(leaf.public['status'])
      const result = textOf(leaf.public['result'])
      results.set(`${leaf.node} ${leaf.of}`, status > 0 ? `${result} ${status}` : result)
    }
    if (leaf.kind !== 'verdict') continue
    const said = (name: string): string => textOf(leaf.public[name])
    recent.push({
      atMs: leaf.at,
      reference: said('exchange'),
      subject: leaf.subject ?? '',
      tool: said('tool'),
      release: said('release'),
      provider: said('provider'),
      verdict: said('verdict'),
      wouldBe: said('wouldBe'),
      decision: said('decision'),
      result: results.get(`${leaf.node} ${leaf.counter}`) ?? '',
    })
  }
  return recent
}

function listed(one: ReturnType<RegisterService['list']>[number]): ListedDecision {
  const { decision } = one
  return {
    id: one.id,
    subject: one.subject,
    status: one.status,
    scope: scopeWords(decision.scope),
    from: dateOf(decision.effectiveFrom),
    until: decision.effectiveUntil === undefined ? '' : dateOf(decision.effectiveUntil),
    announced: decision.announceFrom === undefined ? '' : dateOf(decision.announceFrom),
    profile: decision.profile,
    instead: decision.alternatives.map((other) => other.tool).join(', '),
    withdrawn: decision.withdrawnAtMs !== undefined,
  }
}

/** Names of people are left out: the page shows how many, the register shows whom. */
function scopeWords(scope: Scope): string {
  const parts: string[] = []
  if (scope.users !== undefined) parts.push(`${scope.users.length} people`)
  for (const [name, values] of Object.entries(scope)) {
    if (name !== 'users') parts.push(`${name}: ${(values as readonly string[]).join(', ')}`)
  }
  return parts.length === 0 ? 'everyone' : parts.join('; ')
}

/** A bare date begins at midnight by the clock of each site; the page says so once. */
function dateOf(when: When): string {
  if (when.kind === 'local-midnight') return when.date
  return `${new Date(when.ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

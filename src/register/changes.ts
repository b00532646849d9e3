import { groundSigned, shownDecision, shownGround } from '#decide/approval.ts'
import { sha256Hex } from '#decide/keys.ts'
import type { GroundPart } from '#words/bundle.ts'
import { canonicalJson } from '#words/canonical.ts'
import type { Approval, Decision } from '#words/decision.ts'
import { permits } from '#words/decision.ts'
import type { RegisterUser } from './events.ts'
import type { HeldDecision } from './ledger.ts'

/** What approvers are asked to sign: the words they read, and the thing that gates will check. */
export type ToSign = {
  readonly about: string
  readonly shown: string
  readonly what: Decision | Omit<GroundPart, 'approval'>
  /** Hex SHA-256 over canonical JSON of `{ shown, what }`; names the approval files. */
  readonly digest: string
}

export type Change =
  | {
      readonly kind: 'decision'
      readonly step: 'new' | 'changed' | 'withdrawn'
      readonly before: Decision | null
      readonly after: Decision
      /** Absent: control's own signature is enough, for this can only tighten. */
      readonly toSign?: ToSign
      /** The approval that already stands and goes on to hold. */
      readonly keeps: Approval | null
      readonly lines: readonly string[]
    }
  | {
      readonly kind: 'ground'
      readonly before: GroundPart | null
      readonly after: GroundPart
      readonly toSign: ToSign
      readonly lines: readonly string[]
    }
  | {
      readonly kind: 'people'
      readonly users: readonly RegisterUser[]
      readonly lines: readonly string[]
    }

/** A decision under an id that may not be used for it. */
export type DecisionObjection = { readonly id: string; readonly words: string }

/**
 * What setting this decision would do; null when it says what it said before.
 *
 * The rules are those by which gates accept a bundle (`decide/succession.ts`): new restrictions and
 * the withdrawal of an approval need nobody; whatever permits, and each change of something that
 * restricts, carries approvers' signatures over the whole decision, with a revision that rises.
 */
export function changeOfDecision(
  held: HeldDecision | undefined,
  wanted: Decision,
): Change | DecisionObjection | null {
  if (held === undefined) {
    const after = { ...wanted, revision: 1 }
    const common = { kind: 'decision', step: 'new', before: null, keeps: null } as const
    const lines = shownDecision(after).split('\n').slice(1)
    return permits(after.status)
      ? { ...common, after, toSign: decisionToSign(after), lines }
      : { ...common, after, lines }
  }
  const before = held.decision
  const was = plain(before)
  if (canonicalJson(was) === canonicalJson(wanted)) return null
  const step = wanted.withdrawnAtMs === undefined ? 'changed' : 'withdrawn'
  const lines = differences(was, wanted)
  const { withdrawnAtMs: wasAt = Infinity, ...wasRest } = was
  const { withdrawnAtMs: nowAt = Infinity, ...nowRest } = wanted
  if (
    permits(before.status) &&
    nowAt <= wasAt &&
    canonicalJson(wasRest) === canonicalJson(nowRest)
  ) {
    const after = { ...before, withdrawnAtMs: nowAt }
    return { kind: 'decision', step: 'withdrawn', before, after, keeps: held.approval, lines }
  }
  if (before.withdrawnAtMs !== undefined && permits(before.status) && permits(wanted.status)) {
    return {
      id: wanted.id,
      words: `${wanted.id} was withdrawn; its old signatures would be good again, so give what comes back a new id`,
    }
  }
  const after = { ...wanted, revision: (before.revision ?? 0) + 1 }
  const common = { kind: 'decision', step, before, after, keeps: null, lines } as const
  const free = permits(before.status) && !permits(after.status)
  return free ? common : { ...common, toSign: decisionToSign(after) }
}

export function changeOfGround(before: GroundPart | null, wanted: GroundPart): Change | null {
  if (before !== null) {
    const { revision: _, ...rest } = groundSigned(before)
    if (canonicalJson(rest) === canonicalJson(groundSigned(wanted))) return null
  }
  const after: GroundPart = { ...wanted, revision: (before?.revision ?? 0) + 1, approval: null }
  const what = groundSigned(after)
  const shown = shownGround(after)
  return {
    kind: 'ground',
    before,
    after,
    toSign: { about: 'ground', shown, what, digest: digestOf(shown, what) },
    lines:
      before === null
        ? shown.split('\n')
        : differences(groundSummary(before), groundSummary(after)),
  }
}

export function changeOfPeople(
  before: readonly RegisterUser[],
  wanted: readonly RegisterUser[],
): Change | null {
  const sorted = (users: readonly RegisterUser[]): RegisterUser[] =>
    [...users].sort((a, b) => (a.id < b.id ? -1 : 1))
  const users = sorted(wanted)
  const old = new Map(before.map((user) => [user.id, canonicalJson(user)]))
  const added = users.filter((user) => !old.has(user.id))
  const changed = users.filter(
    (user) => old.has(user.id) && old.get(user.id) !== canonicalJson(user),
  )
  const kept = new Set(users.map((user) => user.id))
  const removed = before.filter((user) => !kept.has(user.id))
  if (added.length + changed.length + removed.length === 0) return null
  const names = (what: string, rows: readonly RegisterUser[]): string[] =>
    rows.length === 0
      ? []
      : [
          `${what} ${rows.length}: ${rows
            .slice(0, 8)
            .map((user) => user.id)
            .join(', ')}${rows.length > 8 ? ', …' : ''}`,
        ]
  return {
    kind: 'people',
    users,
    lines: [...names('added', added), ...names('changed', changed), ...names('removed', removed)],
  }
}

export function digestOf(shown: string, what: unknown): string {
  return sha256Hex(canonicalJson({ shown, what }))
}

function decisionToSign(decision: Decision): ToSign {
  const shown = shownDecision(decision)
  return {
    about: `decision ${decision.id}`,
    shown,
    what: decision,
    digest: digestOf(shown, decision),
  }
}

/** As it is written in a file: the revision is ours. */
function plain(decision: Decision): Decision {
  const { revision: _, ...rest } = decision
  return rest
}

function groundSummary(ground: GroundPart): Readonly<Record<string, unknown>> {
  const rows: Record<string, unknown> = {}
  for (const kind of ['tools', 'providers', 'families', 'vendors'] as const) {
    for (const row of ground.catalog[kind]) rows[`${kind} ${row.id}`] = row
  }
  for (const [name, text] of Object.entries(ground.policies)) rows[`policy ${name}`] = text
  for (const site of ground.sites) rows[`site ${site.id}`] = site
  return {
    ...rows,
    schema: ground.schema,
    classifications: ground.classifications,
    defaultProfile: ground.defaultProfile,
    otherHosts: ground.otherHosts,
    sharedHostsOn: ground.sharedHostsOn,
  }
}

const shownMax = 160

/** One line per member that differs: `status: approved -> prohibited`. */
function differences(before: object, after: object): string[] {
  const old = new Map(Object.entries(before))
  const now = new Map(Object.entries(after))
  const lines: string[] = []
  for (const key of [...new Set([...old.keys(), ...now.keys()])].sort()) {
    const was = sayValue(old.get(key))
    const is = sayValue(now.get(key))
    if (was === is) continue
    const long = was.length > shownMax || is.length > shownMax
    if (!old.has(key)) lines.push(`${key}: added${long ? '' : ` ${is}`}`)
    else if (!now.has(key)) lines.push(`${key}: removed${long ? '' : ` (was ${was})`}`)
    else lines.push(long ? `${key}: changed` : `${key}: ${was} -> ${is}`)
  }
  return lines
}

function sayValue(value: unknown): string {
  if (value === undefined) return ''
  return typeof value === 'string' ? value : canonicalJson(value)
}

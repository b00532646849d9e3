import type { BundleParts } from '#words/bundle.ts'
import type { Decision, Scope, Site, When } from '#words/decision.ts'
import { permits } from '#words/decision.ts'
import { localMidnightMs, spread } from './instants.ts'

/** A decision with everything worked out that does not depend on the exchange. */
export type Prepared = {
  readonly decision: Decision
  readonly permits: boolean
  /** Position by the site's number; the last place is for callers whose site is not known. */
  readonly times: readonly Times[]
  readonly scope: { readonly [Key in keyof Required<Scope>]: ReadonlySet<string> | null }
  /** How narrow it is: of two approvals the higher one counts. */
  readonly narrowness: number
}

export type Times = {
  readonly fromMs: number
  /** End or withdrawal, whichever comes first; Infinity when neither. */
  readonly untilMs: number
  /** When it was announced; `fromMs` when it was not. */
  readonly announceMs: number
  /** Zone in which to say `fromMs` when the caller's own is not known. */
  readonly zone: string
}

/**
 * Decisions by what they are about, then by the people they name, so that ten thousand approvals
 * cost a few look-ups. A decision that names users stands under each of them, else one that names
 * groups under each of those, else among the rest.
 */
export class Bucket {
  readonly all: Prepared[] = []
  readonly rest: Prepared[] = []
  readonly byUser = new Map<string, Prepared[]>()
  readonly byGroup = new Map<string, Prepared[]>()

  add(prepared: Prepared): void {
    this.all.push(prepared)
    const { users, groups } = prepared.scope
    if (users !== null) for (const user of users) list(this.byUser, user).push(prepared)
    else if (groups !== null) for (const group of groups) list(this.byGroup, group).push(prepared)
    else this.rest.push(prepared)
  }
}

/** `permits` and `restricts` apart, because what is not known falls to opposite sides. */
export type SubjectIndex = {
  readonly tool: ReadonlyMap<string, Bucket>
  readonly release: ReadonlyMap<string, Bucket>
  readonly vendor: ReadonlyMap<string, Bucket>
  readonly provider: ReadonlyMap<string, Bucket>
  readonly family: ReadonlyMap<string, Bucket>
}

export type DecisionIndex = {
  readonly permits: SubjectIndex
  readonly restricts: SubjectIndex
  /** Restricting decisions about anything a tool could be, for tools that were not recognised. */
  readonly anyTool: readonly Prepared[]
  readonly anyProvider: readonly Prepared[]
  readonly anyFamily: readonly Prepared[]
  readonly siteNumber: ReadonlyMap<string, number>
  readonly siteZone: ReadonlyMap<string, string>
  readonly prepared: readonly Prepared[]
}

export function indexDecisions(parts: Pick<BundleParts, 'ground' | 'decisions'>): DecisionIndex {
  const { sites } = parts.ground
  const prepare = preparer(sites)
  const permitting = emptyIndex()
  const restricting = emptyIndex()
  const prepared: Prepared[] = []
  const anyTool: Prepared[] = []
  const anyProvider: Prepared[] = []
  const anyFamily: Prepared[] = []
  for (const { decision } of parts.decisions.decisions) {
    const one = prepare(decision)
    prepared.push(one)
    place(one, one.permits ? permitting : restricting)
    if (one.permits) continue
    const { kind } = decision.subject
    if (kind === 'provider') anyProvider.push(one)
    else if (kind === 'model-family') anyFamily.push(one)
    else anyTool.push(one)
  }
  return {
    permits: permitting,
    restricts: restricting,
    anyTool,
    anyProvider,
    anyFamily,
    siteNumber: new Map(sites.map((site, number) => [site.id, number])),
    siteZone: new Map(sites.map((site) => [site.id, site.timeZone])),
    prepared,
  }
}

type Growing = { readonly [Kind in keyof SubjectIndex]: Map<string, Bucket> }

function emptyIndex(): Growing {
  return {
    tool: new Map(),
    release: new Map(),
    vendor: new Map(),
    provider: new Map(),
    family: new Map(),
  }
}

function place(prepared: Prepared, index: Growing): void {
  const { subject } = prepared.decision
  switch (subject.kind) {
    case 'tool':
    case 'release':
      return bucket(index[subject.kind], subject.tool).add(prepared)
    case 'vendor':
      return bucket(index.vendor, subject.vendor).add(prepared)
    case 'provider':
      return bucket(index.provider, subject.provider).add(prepared)
    default:
      return bucket(index.family, subject.family).add(prepared)
  }
}

function bucket(buckets: Map<string, Bucket>, key: string): Bucket {
  let found = buckets.get(key)
  if (found === undefined) buckets.set(key, (found = new Bucket()))
  return found
}

function list(lists: Map<string, Prepared[]>, key: string): Prepared[] {
  let found = lists.get(key)
  if (found === undefined) lists.set(key, (found = []))
  return found
}

const subjectRank = { release: 400, tool: 300, 'model-family': 200, provider: 100, vendor: 0 }
const strictnessRank = { approved: 0, tolerated: 1, conditional: 2 } as Record<string, number>

function preparer(sites: readonly Site[]): (decision: Decision) => Prepared {
  // Many decisions share their dates; time zones are asked once for each.
  const known = new Map<string, readonly Times[]>()
  return (decision) => {
    const { effectiveFrom, effectiveUntil, announceFrom, withdrawnAtMs } = decision
    const may = permits(decision.status)
    const key = JSON.stringify([may, effectiveFrom, effectiveUntil, announceFrom, withdrawnAtMs])
    let times = known.get(key)
    if (times === undefined) known.set(key, (times = timesOf(decision, may, sites)))
    const scope = decision.scope
    const set = (values: readonly string[] | undefined) =>
      values === undefined ? null : new Set(values)
    const narrow = Object.values(scope).filter((values) => values !== undefined).length
    return {
      decision,
      permits: may,
      times,
      scope: {
        users: set(scope.users),
        groups: set(scope.groups),
        sites: set(scope.sites),
        repositories: set(scope.repositories),
        classifications: set(scope.classifications),
        dataClasses: set(scope.dataClasses),
        countries: set(scope.countries),
        providers: set(scope.providers),
        models: set(scope.models),
      },
      narrowness:
        subjectRank[decision.subject.kind] + narrow * 10 + (strictnessRank[decision.status] ?? 0),
    }
  }
}

function timesOf(decision: Decision, may: boolean, sites: readonly Site[]): readonly Times[] {
  const { effectiveFrom, effectiveUntil, announceFrom } = decision
  const withdrawnMs = decision.withdrawnAtMs ?? Infinity
  const at = (when: When, zone: string): number =>
    when.kind === 'instant' ? when.ms : localMidnightMs(when.date, zone)
  const known = sites.map(({ timeZone }) => {
    const fromMs = at(effectiveFrom, timeZone)
    return {
      fromMs,
      untilMs: Math.min(withdrawnMs, effectiveUntil ? at(effectiveUntil, timeZone) : Infinity),
      // An announcement that comes after the start must not put the start off.
      announceMs: announceFrom ? Math.min(fromMs, at(announceFrom, timeZone)) : fromMs,
      zone: timeZone,
    }
  })
  // A caller whose site is not known: prohibitions last from the first site's midnight to the last
  // site's, approvals only where all sites agree.
  const from = spread(effectiveFrom, sites)
  const until = effectiveUntil ? spread(effectiveUntil, sites) : null
  const fromMs = may ? from.lastMs : from.firstMs
  const untilMs = until === null ? Infinity : may ? until.firstMs : until.lastMs
  const unknown: Times = {
    fromMs,
    untilMs: Math.min(withdrawnMs, untilMs),
    announceMs: announceFrom ? Math.min(fromMs, spread(announceFrom, sites).firstMs) : fromMs,
    zone: may ? 'UTC' : from.firstZone,
  }
  return [...known, unknown]
}

import type { Catalog } from '#words/catalog.ts'
import type { Decision, Site, Subject } from '#words/decision.ts'
import { permits } from '#words/decision.ts'
import { unreachable } from '#words/faults.ts'
import { covers, overlapMs, scopeKey, sitesOf } from './scope.ts'
import type { House } from './scope.ts'

export type Contradiction = {
  /** `idle`: an approval (`a`) that a wider restriction (`b`) leaves without effect. */
  readonly kind: 'same-scope' | 'idle'
  readonly a: Decision
  readonly b: Decision
  readonly site: Site
  /** The first instant at which both would count. */
  readonly atMs: number
  readonly words: string
}

const somewhere = { id: 'anywhere', timeZone: 'UTC', country: '' } as unknown as Site

/**
 * Decisions that cannot both be meant: for one subject and scope at one instant, one permits and
 * the other does not, or they permit in different words; and an approval that a wider prohibition
 * leaves without any effect (prohibitions win).
 *
 * A narrower prohibition inside a wider approval is no contradiction: it is an exception.
 */
export function findContradictions(
  decisions: readonly Decision[],
  catalog: Catalog,
  house: House,
): Contradiction[] {
  const found: Contradiction[] = []
  const sameScope = new Map<string, Decision[]>()
  const restricting = new Map<string, Decision[]>()
  for (const decision of decisions) {
    push(sameScope, `${subjectKey(decision.subject)}|${scopeKey(decision.scope)}`, decision)
    if (forbids(decision)) push(restricting, subjectKey(decision.subject), decision)
  }
  const note = (kind: Contradiction['kind'], a: Decision, b: Decision, words: string): void => {
    const sites = sitesOf(b.scope, sitesOf(a.scope, house.sites))
    for (const site of house.sites.length === 0 ? [somewhere] : sites) {
      const atMs = overlapMs(a, b, site.timeZone)
      if (atMs === null) continue
      found.push({ kind, a, b, site, atMs, words })
      return
    }
  }
  for (const group of sameScope.values()) {
    for (const [at, a] of group.entries()) {
      for (const b of group.slice(at + 1)) {
        if (a.status === b.status || (!permits(a.status) && !permits(b.status))) continue
        note(
          'same-scope',
          a,
          b,
          `${a.id} says ${a.status} and ${b.id} says ${b.status} for the same scope`,
        )
      }
    }
  }
  for (const approval of decisions) {
    if (!permits(approval.status)) continue
    for (const key of widerKeys(approval.subject, catalog)) {
      for (const ban of restricting.get(key) ?? []) {
        const same =
          subjectKey(ban.subject) === subjectKey(approval.subject) &&
          scopeKey(ban.scope) === scopeKey(approval.scope)
        if (same || ban.profile !== 'enforce' || !covers(ban.scope, approval.scope, house)) continue
        note(
          'idle',
          approval,
          ban,
          `${approval.id} (${approval.status}) could never take effect under ${ban.id} (${ban.status})`,
        )
      }
    }
  }
  return found
}

/** Every status that does not permit restricts: gates refuse what is under review, too. */
export function forbids(decision: Decision): boolean {
  return !permits(decision.status)
}

export function subjectKey(subject: Subject): string {
  switch (subject.kind) {
    case 'tool':
      return `tool ${subject.tool}`
    case 'release':
      return `release ${subject.tool} ${subject.version} ${subject.sha512 ?? ''}`
    case 'vendor':
      return `vendor ${subject.vendor}`
    case 'provider':
      return `provider ${subject.provider}`
    case 'model-family':
      return `model-family ${subject.family}`
    default:
      return unreachable(subject)
  }
}

/** The subject itself and what holds it: a release, its tool, the tool's vendor. */
export function widerKeys(subject: Subject, catalog: Catalog): readonly string[] {
  if (subject.kind !== 'tool' && subject.kind !== 'release') return [subjectKey(subject)]
  const vendor = catalog.tools.find((tool) => tool.id === subject.tool)?.vendor
  return [
    ...new Set([
      subjectKey(subject),
      `tool ${subject.tool}`,
      ...(vendor === undefined ? [] : [`vendor ${vendor}`]),
    ]),
  ]
}

function push<Value>(map: Map<string, Value[]>, key: string, value: Value): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}

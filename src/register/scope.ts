import type { Decision, Scope, Site } from '#words/decision.ts'
import type { RegisterUser } from './events.ts'
import { whenMs } from './when.ts'

export type Interval = { readonly fromMs: number; readonly untilMs: number }

/** When the decision counts at a site in this time zone: [from, until), withdrawal included. */
export function intervalOf(decision: Decision, timeZone: string): Interval {
  const until =
    decision.effectiveUntil === undefined ? Infinity : whenMs(decision.effectiveUntil, timeZone)
  return {
    fromMs: whenMs(decision.effectiveFrom, timeZone),
    untilMs: Math.min(until, decision.withdrawnAtMs ?? Infinity),
  }
}

export function activeAt(decision: Decision, timeZone: string, atMs: number): boolean {
  const { fromMs, untilMs } = intervalOf(decision, timeZone)
  return fromMs <= atMs && atMs < untilMs
}

/** The first instant at which both count, or null when they never do together. */
export function overlapMs(a: Decision, b: Decision, timeZone: string): number | null {
  const one = intervalOf(a, timeZone)
  const two = intervalOf(b, timeZone)
  const fromMs = Math.max(one.fromMs, two.fromMs)
  return fromMs < Math.min(one.untilMs, two.untilMs) ? fromMs : null
}

const scopeKeys = [
  'users',
  'groups',
  'sites',
  'repositories',
  'classifications',
  'dataClasses',
  'countries',
  'providers',
  'models',
] as const

/** The same text for the same scope, in whatever order it was written. */
export function scopeKey(scope: Scope): string {
  const parts = scopeKeys.flatMap((key) => {
    const values = scope[key]
    return values === undefined ? [] : [`${key}=${[...new Set<string>(values)].sort().join(',')}`]
  })
  return parts.join(';')
}

/** Who and where the words of scopes stand for. */
export type House = { readonly sites: readonly Site[]; readonly users: readonly RegisterUser[] }

type HouseIndex = {
  readonly countryOf: ReadonlyMap<string, string>
  readonly userOf: ReadonlyMap<string, RegisterUser>
}

const indexes = new WeakMap<House, HouseIndex>()

function indexOf(house: House): HouseIndex {
  let index = indexes.get(house)
  if (index === undefined) {
    index = {
      countryOf: new Map(house.sites.map((site) => [site.id, site.country])),
      userOf: new Map(house.users.map((user) => [user.id, user])),
    }
    indexes.set(house, index)
  }
  return index
}

/**
 * Does the wider scope hold everything that the narrower one does? Sites count as their country,
 * and people as their groups; what cannot be told is answered with no.
 */
export function covers(wider: Scope, narrower: Scope, house: House): boolean {
  return scopeKeys.every((key) => {
    const outer: readonly string[] | undefined = wider[key]
    if (outer === undefined) return true
    const inner: readonly string[] | undefined = narrower[key]
    if (inner !== undefined && inner.every((value) => outer.includes(value))) return true
    const { countryOf, userOf } = indexOf(house)
    const abroad = (site: string): boolean => !outer.includes(countryOf.get(site) ?? '')
    if (key === 'countries' && narrower.sites !== undefined) return !narrower.sites.some(abroad)
    if (narrower.users === undefined) return false
    return narrower.users.every((id) => {
      const user = userOf.get(id)
      if (user === undefined) return false
      if (key === 'groups') return user.groups.some((group) => outer.includes(group))
      if (key === 'sites') return outer.includes(user.site)
      return key === 'countries' && !abroad(user.site)
    })
  })
}

/** The sites at which a scope can hold, by its sites and countries. */
export function sitesOf(scope: Scope, sites: readonly Site[]): readonly Site[] {
  return sites.filter(
    (site) =>
      (scope.sites === undefined || scope.sites.includes(site.id)) &&
      (scope.countries === undefined || scope.countries.includes(site.country)),
  )
}

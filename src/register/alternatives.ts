import { indexDecisions } from '#decide/decision-index.ts'
import { spread } from '#decide/instants.ts'
import { lookupCatalog, Resolver } from '#decide/resolve.ts'
import type { GroundPart } from '#words/bundle.ts'
import type { Catalog } from '#words/catalog.ts'
import type { Decision, Site } from '#words/decision.ts'
import type { GroupId, SiteId, ToolId, UserId } from '#words/ids.ts'
import { forbids } from './contradictions.ts'
import { activeAt, sitesOf } from './scope.ts'
import type { House } from './scope.ts'

/** Somebody whom a ban affects, working on one class of data. */
type Affected = {
  readonly user: UserId | null
  readonly groups: readonly GroupId[]
  readonly site: Site
  readonly dataClass: string | null
  readonly classification: string | null
  readonly repositories: readonly string[]
}

export type StrandedAlternative = { readonly ban: Decision; readonly words: string }

/**
 * Bans that would leave somebody without what they name instead: at the instant at which the ban
 * starts (or now, when it has started) each person, country and data class that it affects needs
 * one of its alternatives to be allowed, and each alternative must be allowed for somebody.
 *
 * An approval that depends on something unknown here counts as not there; fails to the side of
 * refusing the plan.
 */
export function findStranded(
  bans: readonly Decision[],
  decisions: readonly Decision[],
  catalog: Catalog,
  house: House,
  nowMs: number,
): StrandedAlternative[] {
  if (!bans.some((ban) => ban.alternatives.length > 0)) return []
  const parts = {
    ground: { sites: house.sites } as GroundPart,
    decisions: { decisions: decisions.map((decision) => ({ decision, approval: null })) },
  }
  const resolver = new Resolver(indexDecisions(parts), lookupCatalog(catalog))
  const found: StrandedAlternative[] = []
  for (const ban of bans) {
    if (!forbids(ban) || ban.alternatives.length === 0) continue
    const useful = new Set<ToolId>()
    let stranded: string | null = null
    for (const one of affectedBy(ban, decisions, house)) {
      const zone = one.site.timeZone
      const sites = one.site === nowhere ? house.sites : [one.site]
      const atMs = Math.max(spread(ban.effectiveFrom, sites).firstMs, nowMs)
      if (!activeAt(ban, zone, atMs) && one.site !== nowhere) continue
      const open = ban.alternatives.filter(({ tool }) =>
        isAllowed(tool, one, atMs, resolver, catalog),
      )
      for (const { tool } of open) useful.add(tool)
      if (open.length === 0) stranded ??= strandedWords(ban, one, atMs)
    }
    if (stranded !== null) {
      found.push({ ban, words: stranded })
      continue
    }
    const idle = ban.alternatives.filter(({ tool }) => !useful.has(tool))
    if (useful.size > 0 && idle.length > 0) {
      const names = idle.map(({ tool }) => tool).join(', ')
      found.push({
        ban,
        words: `${ban.id}: the alternative ${names} is allowed for nobody whom it affects`,
      })
    }
  }
  return found
}

function strandedWords(ban: Decision, one: Affected, atMs: number): string {
  const who = one.user ?? 'people'
  const data = one.dataClass === null ? '' : `, with data of class ${one.dataClass}`
  const repositories = one.classification === null ? '' : `, in ${one.classification} repositories`
  const tools = ban.alternatives.map(({ tool }) => tool).join(', ')
  const country = one.site.country === '' ? '' : ` (${one.site.country})`
  return (
    `${ban.id}: none of its alternatives (${tools}) is allowed for ${who} at ` +
    `${one.site.id === '' ? 'an unknown site' : one.site.id}${country}${data}${repositories} on ${new Date(atMs).toISOString()}`
  )
}

const nowhere = { id: '', timeZone: 'UTC', country: '' } as unknown as Site

/** One of each kind of person: those whom no decision can tell apart are looked at once. */
function* affectedBy(
  ban: Decision,
  decisions: readonly Decision[],
  house: House,
): Generator<Affected> {
  const named = new Set<string>(decisions.flatMap((one) => one.scope.users ?? []))
  const sites = new Map(house.sites.map((site) => [site.id, site]))
  const allowedSites = new Set<SiteId>(sitesOf(ban.scope, house.sites).map((site) => site.id))
  const classes = ban.scope.dataClasses ?? [
    null,
    ...new Set(decisions.flatMap((one) => one.scope.dataClasses ?? [])),
  ]
  const classifications = ban.scope.classifications ?? [
    null,
    ...new Set(decisions.flatMap((one) => one.scope.classifications ?? [])),
  ]
  const seen = new Set<string>()
  const people = house.users.filter(
    (user) =>
      (ban.scope.users === undefined || ban.scope.users.includes(user.id)) &&
      (ban.scope.groups === undefined || user.groups.some((g) => ban.scope.groups?.includes(g))),
  )
  const kinds: { user: UserId | null; groups: readonly GroupId[]; site: Site }[] = []
  for (const user of people) {
    const site = user.site === 'unknown' ? undefined : sites.get(user.site)
    if (site !== undefined && !allowedSites.has(site.id)) continue
    const key = named.has(user.id) ? user.id : `${user.site}|${[...user.groups].sort().join(',')}`
    if (seen.has(key)) continue
    seen.add(key)
    kinds.push({ user: user.id, groups: user.groups, site: site ?? nowhere })
  }
  if (house.users.length === 0) {
    for (const site of house.sites.length === 0 ? [nowhere] : sitesOf(ban.scope, house.sites)) {
      kinds.push({ user: null, groups: ban.scope.groups ?? [], site })
    }
  }
  for (const kind of kinds) {
    for (const dataClass of classes) {
      for (const classification of classifications) {
        const repositories = ban.scope.repositories ?? []
        yield { ...kind, dataClass, classification, repositories }
      }
    }
  }
}

// Known, and in no list: the question is who is stranded in an ordinary repository.
const ordinary = 'ordinary'

/** As gates would answer: `decide` resolves it, for some release and some provider of the tool. */
function isAllowed(
  tool: ToolId,
  one: Affected,
  atMs: number,
  resolver: Resolver,
  catalog: Catalog,
): boolean {
  const row = catalog.tools.find((candidate) => candidate.id === tool)
  const providers: readonly string[] = row?.providers.length ? row.providers : [ordinary]
  const repositories = one.repositories.length > 0 ? one.repositories : [ordinary]
  return repositories.every((repository) =>
    providers.some((provider) => {
      const { approval, restricting } = resolver.resolve(
        {
          user: one.user ?? '',
          groups: one.groups,
          site: one.site.id,
          country: one.site.country,
          tool,
          release: 'any',
          releaseDigest: '',
          repository,
          classification: one.classification ?? ordinary,
          provider,
          families: null,
          familiesKnown: true,
          dataClasses: one.dataClass === null ? [] : [one.dataClass],
          dataClassesKnown: true,
        },
        atMs,
      )
      return approval !== null && restricting.every((ban) => ban.decision.profile !== 'enforce')
    }),
  )
}

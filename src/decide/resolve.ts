import type { Catalog } from '#words/catalog.ts'
import type { Content } from '#words/content.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { Bucket, DecisionIndex, Prepared, SubjectIndex, Times } from './decision-index.ts'

/** Who asks for what, in the words in which decisions are scoped. Empty or `unknown`: not known. */
export type Asked = {
  readonly user: string
  readonly groups: readonly string[]
  readonly site: string
  readonly country: string
  readonly tool: string
  /** `any`: some release that could be chosen, for alternatives that nobody has started yet. */
  readonly release: string
  readonly releaseDigest: string
  readonly repository: string
  readonly classification: string
  readonly provider: string
  /** Null: the exchange names no model because none is used. */
  readonly families: readonly string[] | null
  readonly familiesKnown: boolean
  /** Null: the exchange carries no data of ours. */
  readonly dataClasses: readonly string[] | null
  readonly dataClassesKnown: boolean
}

export type Resolution = {
  /** The approval that covers the tool, most specific first; null: status `unknown`. */
  readonly approval: Prepared | null
  /** Every restricting decision in force here, strictest first. */
  readonly restricting: readonly Prepared[]
  /** A prohibition that was announced and has not begun: the first to begin. */
  readonly announced: Prepared | null
}

export type CatalogLookup = {
  readonly toolVendor: ReadonlyMap<string, string>
  readonly toolProviders: ReadonlyMap<string, ReadonlySet<string>>
  readonly providerVendor: ReadonlyMap<string, string>
  readonly familyVendor: ReadonlyMap<string, string>
}

export function lookupCatalog(catalog: Catalog): CatalogLookup {
  return {
    toolVendor: new Map(catalog.tools.map((tool) => [tool.id, tool.vendor])),
    toolProviders: new Map(catalog.tools.map((tool) => [tool.id, new Set(tool.providers)])),
    providerVendor: new Map(catalog.providers.map((provider) => [provider.id, provider.vendor])),
    familyVendor: new Map(catalog.families.map((family) => [family.id, family.vendor])),
  }
}

const none: readonly Prepared[] = []
const profileRank = { enforce: 2, warn: 1, observe: 0 }
const statusRank: Readonly<Record<string, number>> = {
  prohibited: 3,
  retired: 2,
  'under-review': 1,
  unknown: 0,
}

/**
 * Which decisions speak of this exchange at this instant?
 *
 * Fails closed: an attribute that is not known matches no approval and every restriction. A
 * restriction never hides another that is stricter, nor the approval's own conditions, so adding
 * one (which control may do alone) can only tighten.
 */
export class Resolver {
  readonly #index: DecisionIndex
  readonly #catalog: CatalogLookup
  readonly #unknownSite: number

  constructor(index: DecisionIndex, catalog: CatalogLookup) {
    this.#index = index
    this.#catalog = catalog
    this.#unknownSite = index.siteNumber.size
  }

  timesOf(prepared: Prepared, site: string): Times {
    return prepared.times[this.#index.siteNumber.get(site) ?? this.#unknownSite]!
  }

  resolve(asked: Asked, atMs: number): Resolution {
    const site = this.#index.siteNumber.get(asked.site) ?? this.#unknownSite
    const search = new Search(asked, site, atMs)
    const { permits, restricts } = this.#index
    const vendor = this.#catalog.toolVendor.get(asked.tool)

    search.permitting(permits.release.get(asked.tool))
    search.permitting(permits.tool.get(asked.tool))
    if (vendor !== undefined) search.permitting(permits.vendor.get(vendor))

    search.restricting(restricts.release.get(asked.tool))
    search.restricting(restricts.tool.get(asked.tool))
    this.#restrictVendors(search, asked, vendor, restricts)
    if (asked.tool === 'unknown') this.#restrictUnknownTool(search, asked)
    if (asked.provider === 'unknown') search.each(this.#index.anyProvider)
    else search.restricting(restricts.provider.get(asked.provider))
    if (asked.families !== null) {
      if (!asked.familiesKnown) search.each(this.#index.anyFamily)
      for (const family of asked.families) search.restricting(restricts.family.get(family))
    }
    return search.found()
  }

  /** A prohibited vendor is one as maker of the tool, of the provider or of the model. */
  #restrictVendors(
    search: Search,
    asked: Asked,
    ofTool: string | undefined,
    restricts: SubjectIndex,
  ): void {
    if (restricts.vendor.size === 0) return
    const vendors = new Set<string | undefined>([ofTool])
    vendors.add(this.#catalog.providerVendor.get(asked.provider))
    for (const family of asked.families ?? []) vendors.add(this.#catalog.familyVendor.get(family))
    for (const vendor of vendors) {
      if (vendor !== undefined) search.restricting(restricts.vendor.get(vendor))
    }
  }

  /** A tool that hides who it is could be any that talks to this provider. */
  #restrictUnknownTool(search: Search, asked: Asked): void {
    for (const prepared of this.#index.anyTool) {
      const { subject } = prepared.decision
      const could =
        subject.kind === 'vendor'
          ? [...this.#catalog.toolVendor].some(
              ([tool, vendor]) => vendor === subject.vendor && this.#reaches(tool, asked.provider),
            )
          : 'tool' in subject && this.#reaches(subject.tool, asked.provider)
      if (could) search.try(prepared)
    }
  }

  #reaches(tool: string, provider: string): boolean {
    return provider === 'unknown' || this.#catalog.toolProviders.get(tool)?.has(provider) === true
  }
}

class Search {
  readonly #asked: Asked
  readonly #site: number
  readonly #atMs: number
  #approval: Prepared | null = null
  #restricting: Prepared[] | null = null
  #announced: Prepared | null = null

  constructor(asked: Asked, site: number, atMs: number) {
    this.#asked = asked
    this.#site = site
    this.#atMs = atMs
  }

  permitting(bucket: Bucket | undefined): void {
    if (bucket !== undefined) this.#bucket(bucket)
  }

  restricting(bucket: Bucket | undefined): void {
    if (bucket !== undefined) this.#bucket(bucket)
  }

  #bucket(bucket: Bucket): void {
    if (bucket.byUser.size > 0) this.each(bucket.byUser.get(this.#asked.user) ?? none)
    if (bucket.byGroup.size > 0) {
      const { groups } = this.#asked
      for (let at = 0; at < groups.length; at++) {
        this.each(bucket.byGroup.get(groups[at]!) ?? none)
      }
    }
    this.each(bucket.rest)
  }

  each(list: readonly Prepared[]): void {
    for (let at = 0; at < list.length; at++) this.try(list[at]!)
  }

  try(prepared: Prepared): void {
    const times = prepared.times[this.#site]!
    if (this.#atMs >= times.untilMs || this.#atMs < times.announceMs) return
    if (prepared.permits) {
      if (this.#atMs < times.fromMs || !this.#better(prepared)) return
      if (matches(prepared, this.#asked)) this.#approval = prepared
      return
    }
    if (!matches(prepared, this.#asked)) return
    if (this.#atMs >= times.fromMs) {
      this.#restricting ??= []
      // A decision that names several of one's groups is met once for each.
      if (!this.#restricting.includes(prepared)) this.#restricting.push(prepared)
    } else if (
      this.#announced === null ||
      times.fromMs < this.#announced.times[this.#site]!.fromMs
    ) {
      this.#announced = prepared
    }
  }

  #better(prepared: Prepared): boolean {
    const held = this.#approval
    if (held === null) return true
    if (prepared.narrowness !== held.narrowness) return prepared.narrowness > held.narrowness
    const strictness = profileRank[prepared.decision.profile] - profileRank[held.decision.profile]
    return strictness !== 0 ? strictness > 0 : prepared.decision.id < held.decision.id
  }

  found(): Resolution {
    const restricting = this.#restricting
    if (restricting !== null && restricting.length > 1) restricting.sort(strictestFirst)
    return {
      approval: this.#approval,
      restricting: restricting ?? none,
      announced: this.#announced,
    }
  }
}

function strictestFirst(a: Prepared, b: Prepared): number {
  return (
    profileRank[b.decision.profile] - profileRank[a.decision.profile] ||
    (statusRank[b.decision.status] ?? 0) - (statusRank[a.decision.status] ?? 0) ||
    (a.decision.id < b.decision.id ? -1 : 1)
  )
}

/** Does the decision's subject and scope cover the exchange? */
function matches(prepared: Prepared, asked: Asked): boolean {
  const { scope, permits } = prepared
  const { subject } = prepared.decision
  if (subject.kind === 'release' && !releaseMatches(subject, asked, permits)) return false
  if (scope.users !== null && !one(scope.users, asked.user, permits)) return false
  if (scope.groups !== null && !any(scope.groups, asked.groups)) return false
  if (scope.sites !== null && !one(scope.sites, asked.site, permits)) return false
  if (scope.countries !== null && !one(scope.countries, asked.country, permits)) return false
  if (scope.repositories !== null && !one(scope.repositories, asked.repository, permits))
    return false
  if (scope.classifications !== null && !one(scope.classifications, asked.classification, permits))
    return false
  if (scope.providers !== null && !one(scope.providers, asked.provider, permits)) return false
  if (
    scope.models !== null &&
    !several(scope.models, asked.families, asked.familiesKnown, permits, false)
  )
    return false
  return (
    scope.dataClasses === null ||
    several(scope.dataClasses, asked.dataClasses, asked.dataClassesKnown, permits, true)
  )
}

function one(allowed: ReadonlySet<string>, value: string, permits: boolean): boolean {
  if (value === '' || value === 'unknown') return !permits
  return allowed.has(value)
}

function any(allowed: ReadonlySet<string>, values: readonly string[]): boolean {
  for (let at = 0; at < values.length; at++) if (allowed.has(values[at]!)) return true
  return false
}

/** Null: the question does not arise, so an approval is not lost and a restriction not met. */
function several(
  allowed: ReadonlySet<string>,
  values: readonly string[] | null,
  known: boolean,
  permits: boolean,
  all: boolean,
): boolean {
  if (values === null) return permits
  if (!known) return !permits
  if (permits && all) return values.every((value) => allowed.has(value))
  return any(allowed, values)
}

function releaseMatches(
  subject: { readonly version: string; readonly sha512?: string },
  asked: Asked,
  permits: boolean,
): boolean {
  if (asked.release === 'any') return permits
  const known = asked.release !== '' && asked.release !== 'unknown'
  const digestMeets = subject.sha512 !== undefined && asked.releaseDigest === subject.sha512
  // An approval bound to bytes needs the bytes; a version is a string that anyone can send.
  if (permits) {
    return (
      known && asked.release === subject.version && (subject.sha512 === undefined || digestMeets)
    )
  }
  return !known || asked.release === subject.version || digestMeets
}

const noModel: ReadonlySet<string> = new Set(['models', 'auth', 'telemetry', 'update'])
const noData: ReadonlySet<string> = new Set(['models', 'auth', 'update'])
const noNames: readonly string[] = []

export function askedOf(
  exchange: Exchange,
  caller: Caller,
  content: Content,
  families: readonly string[],
): Asked {
  let dataClasses: string[] | null = null
  for (const finding of content.findings) {
    if (finding.class === 'data-class') (dataClasses ??= []).push(finding.rule)
  }
  return {
    user: caller.user,
    groups: caller.groups,
    site: caller.site,
    country: caller.country,
    tool: caller.tool,
    release: caller.release === 'any' ? 'unknown' : caller.release,
    releaseDigest: caller.releaseDigest,
    repository: caller.repository,
    classification: caller.classification,
    provider: exchange.provider,
    families: noModel.has(exchange.purpose) ? null : families,
    familiesKnown: content.model !== '',
    dataClasses: noData.has(exchange.purpose) ? null : (dataClasses ?? noNames),
    dataClassesKnown: dataClasses !== null,
  }
}

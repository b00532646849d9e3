import type { Catalog } from '#words/catalog.ts'
import type { Content, Finding } from '#words/content.ts'
import type { Custody, Level, Status } from '#words/decision.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import { CedarSet, emptySet, Entity, toCedarJson } from './cedar-value.ts'
import type { CedarRecord } from './cedar-value.ts'
import type { Request } from './compile-expression.ts'
import type { Prepared } from './decision-index.ts'

/** What one Cedar evaluation is about: a decision (or none) with the status that it gives. */
export type Candidate = {
  readonly status: Status
  readonly prepared: Prepared | null
  readonly grace: boolean
}

export const useAction = new Entity('Action', 'use', { attributes: {}, ancestors: [] })
export const quietAction = new Entity('Action', 'useQuietly', { attributes: {}, ancestors: [] })

const levelRank: Readonly<Record<Level, number>> = { none: 0, L0: 1, L1: 2, L2: 3, L3: 4 }
const custodyRank: Readonly<Record<Custody, number>> = {
  'device-user': 0,
  'device-system': 1,
  central: 2,
}
const cachedMax = 4_096

export function custodyMet(caller: Caller, { prepared }: Candidate): boolean {
  const demanded = prepared?.decision.custody
  return demanded === undefined || custodyRank[caller.custody] >= custodyRank[demanded]
}

export function levelMet(caller: Caller, { prepared }: Candidate): boolean {
  const demanded = prepared?.decision.level
  return demanded === undefined || levelRank[caller.level] >= levelRank[demanded]
}

export type AskBuilder = {
  build(
    exchange: Exchange,
    caller: Caller,
    content: Content,
    families: readonly string[],
    candidate: Candidate,
    atMs: number,
    action: Entity,
  ): Request
}

/** Builds Cedar requests as in `policies/schema.cedarschema`: fixed shapes, shared empty sets. */
export function askBuilder(catalog: Catalog): AskBuilder {
  const vendorOf = new Map(catalog.tools.map((tool) => [tool.id as string, tool.vendor]))
  const countries = new Map<string, CedarSet>(
    catalog.providers.map((provider) => [provider.id, new CedarSet(provider.countries)]),
  )
  const groups = new Map<string, Entity>()
  const resources = new Map<string, Map<string, Entity>>()
  const familySets = new WeakMap<readonly string[], CedarSet>()
  const principals = new WeakMap<Caller, Entity>()

  const groupOf = (id: string): Entity => {
    let group = groups.get(id)
    if (group === undefined) {
      if (groups.size >= cachedMax) groups.clear()
      groups.set(id, (group = new Entity('Group', id)))
    }
    return group
  }
  const principalOf = (caller: Caller): Entity => {
    let principal = principals.get(caller)
    if (principal === undefined) {
      const { site, country, device } = caller
      principal = new Entity('User', caller.user, {
        attributes: { site, country: country || 'unknown', device },
        ancestors: caller.groups.map(groupOf),
      })
      principals.set(caller, principal)
    }
    return principal
  }
  const resourceOf = (tool: string, release: string): Entity => {
    const version = release || 'unknown'
    let releases = resources.get(tool)
    if (releases === undefined) resources.set(tool, (releases = new Map()))
    let resource = releases.get(version)
    if (resource === undefined) {
      const vendor = vendorOf.get(tool)
      const above =
        vendor === undefined
          ? [new Entity('Tool', tool)]
          : [new Entity('Tool', tool), new Entity('Vendor', vendor)]
      resource = new Entity('Release', `${tool}@${version}`, {
        attributes: { tool, version },
        ancestors: above,
      })
      // The release is the client's word: a client that makes up versions must not fill memory.
      if (releases.size >= cachedMax) releases.clear()
      releases.set(version, resource)
    }
    return resource
  }
  const familySetOf = (families: readonly string[]): CedarSet => {
    if (families.length === 0) return emptySet
    let set = familySets.get(families)
    if (set === undefined) familySets.set(families, (set = new CedarSet(families)))
    return set
  }

  return {
    build(exchange, caller, content, families, candidate, atMs, action) {
      const { coverage, findings } = content
      const demanded = candidate.prepared?.decision
      const skipped = skippedOf(coverage.skipped)
      const context: CedarRecord = {
        now: Math.trunc(atMs),
        door: exchange.door,
        transport: exchange.transport,
        wire: exchange.wire,
        purpose: exchange.purpose,
        provider: exchange.provider,
        providerCountries: countries.get(exchange.provider) ?? emptySet,
        host: exchange.host,
        status: candidate.status,
        subject: demanded === undefined ? 'none' : demanded.subject.kind,
        grace: candidate.grace,
        custody: caller.custody,
        custodyMet: custodyMet(caller, candidate),
        level: caller.level,
        levelMet: levelMet(caller, candidate),
        credential: caller.by,
        toolConfidence: caller.toolConfidence,
        releaseConfidence: caller.releaseConfidence,
        repository: caller.repository || 'unknown',
        classification: caller.classification || 'unknown',
        dataClasses: findings.length === 0 ? emptySet : dataClassesOf(findings),
        dataClassesKnown: findings.some(isDataClass),
        model: content.model,
        families: familySetOf(families),
        findings: findings.length === 0 ? emptySet : findingsOf(findings),
        coverage: {
          complete: skipped === emptySet,
          contextKnown: coverage.skipped['context-not-known'] === undefined,
          unknownBlocks: coverage.unknownBlocks > 0,
          skipped,
        },
        ambiguous: content.ambiguous !== null,
        interactive: caller.interactive,
        background: content.background,
      }
      const principal = principalOf(caller)
      const resource = resourceOf(caller.tool, caller.release)
      return { principal, action, resource, context, find: finder(principal, resource) }
    },
  }
}

/** The request says something of its principal and its resource, and nothing of anyone else. */
function finder(principal: Entity, resource: Entity): Request['find'] {
  return (type, id) => {
    for (const entity of [principal, resource]) {
      if (entity.id === id && entity.type === type) return entity.data
    }
    // Ancestors are told to the oracle as entities without attributes.
    for (const entity of [principal, resource]) {
      const above = entity.data!.ancestors
      const at = above.findIndex((one) => one.id === id && one.type === type)
      if (at >= 0) return { attributes: {}, ancestors: type === 'Tool' ? above.slice(at + 1) : [] }
    }
    return null
  }
}

function skippedOf(skipped: Readonly<Record<string, number>>): CedarSet {
  let reasons: string[] | null = null
  for (const reason in skipped) if ((skipped[reason] ?? 0) > 0) (reasons ??= []).push(reason)
  return reasons === null ? emptySet : new CedarSet(reasons)
}

function isDataClass(finding: Finding): boolean {
  return finding.class === 'data-class'
}

function dataClassesOf(findings: readonly Finding[]): CedarSet {
  const classes = new Set<string>()
  for (const finding of findings) if (isDataClass(finding)) classes.add(finding.rule)
  return classes.size === 0 ? emptySet : new CedarSet([...classes])
}

function findingsOf(findings: readonly Finding[]): CedarSet {
  const names = new Set<string>()
  for (const finding of findings) {
    names.add(finding.class)
    names.add(`${finding.class}/${finding.rule}`)
    names.add(`${finding.class}/${finding.rule}@${finding.block}`)
  }
  return new CedarSet([...names])
}

type EntityJson = {
  uid: { type: string; id: string }
  attrs: Record<string, never>
  parents: { type: string; id: string }[]
}

/** The request as cedar-wasm takes it, and as it goes into the opening of an entry. */
export function requestJson(request: Request): {
  readonly principal: { type: string; id: string }
  readonly action: { type: string; id: string }
  readonly resource: { type: string; id: string }
  readonly context: Record<string, never>
  readonly entities: EntityJson[]
} {
  const entities: EntityJson[] = []
  for (const entity of [request.principal, request.resource]) {
    const above = entity.data?.ancestors ?? []
    entities.push({
      uid: uid(entity),
      attrs: toCedarJson(entity.data?.attributes ?? {}) as Record<string, never>,
      // A release's ancestors are a chain (tool, vendor); a user's groups stand side by side.
      parents: (entity.type === 'Release' ? above.slice(0, 1) : above).map(uid),
    })
    for (let at = 0; at < above.length; at++) {
      const next = entity.type === 'Release' ? above[at + 1] : undefined
      entities.push({ uid: uid(above[at]!), attrs: {}, parents: next ? [uid(next)] : [] })
    }
  }
  return {
    principal: uid(request.principal),
    action: uid(request.action),
    resource: uid(request.resource),
    context: toCedarJson(request.context) as Record<string, never>,
    entities,
  }
}

function uid({ type, id }: Entity): { type: string; id: string } {
  return { type, id }
}

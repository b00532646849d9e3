import type { Catalog } from '#words/catalog.ts'
import type { Subject } from '#words/decision.ts'
import type { ModelFamilyId, ProviderId, VendorId } from '#words/ids.ts'
import { instead } from './near.ts'
import type { WrittenDecision, WrittenRegister } from './register-schema.ts'
import type { Place, Problem, YamlFile } from './yaml-file.ts'

/**
 * Ids that nobody defines. A misspelt group in a ban would leave the ban without effect, so an
 * unknown name is an error and never "nobody".
 */
export function checkReferences(
  files: readonly YamlFile<WrittenRegister>[],
  catalog: Catalog,
): Problem[] {
  const all = <Row>(pick: (file: WrittenRegister) => readonly Row[] | undefined): Row[] =>
    files.flatMap((file) => pick(file.value) ?? [])
  const known = {
    users: all((file) => file.people).map((person) => person.id),
    groups: [
      ...new Set([...all((file) => file.groups), ...all((f) => f.people).flatMap((p) => p.groups)]),
    ],
    sites: all((file) => file.sites).map((site) => site.id),
    classifications: [
      ...new Set(files.flatMap((file) => Object.values(file.value.classifications ?? {}))),
      'unknown',
    ],
    countries: [...new Set(all((file) => file.sites).map((site) => site.country))],
    providers: catalog.providers.map((row) => row.id),
    models: catalog.families.map((row) => row.id),
  }
  const names = {
    users: 'person',
    groups: 'group',
    sites: 'site',
    classifications: 'classification',
    countries: 'site in the country',
    providers: 'provider',
    models: 'model family',
  } as const

  const sets = Object.fromEntries(
    Object.entries(known).map(([kind, ids]) => [kind, new Set<string>(ids)]),
  )
  const problems: Problem[] = []
  const check = (
    file: YamlFile<WrittenRegister>,
    place: Place,
    kind: keyof typeof known,
    id: string,
  ): void => {
    if (sets[kind]?.has(id) === true) return
    problems.push(
      file.problem(place, `there is no ${names[kind]} \`${id}\`; ${instead(id, known[kind])}`),
    )
  }
  for (const file of files) {
    for (const [at, person] of (file.value.people ?? []).entries()) {
      if (person.site !== undefined) check(file, ['people', at, 'site'], 'sites', person.site)
    }
    for (const [at, decision] of (file.value.decisions ?? []).entries()) {
      const place: Place = ['decisions', at]
      for (const kind of Object.keys(known) as (keyof typeof known)[]) {
        for (const [index, id] of (decision.scope?.[kind] ?? []).entries()) {
          check(file, [...place, 'scope', kind, index], kind, id)
        }
      }
      problems.push(...checkTools(file, place, decision, catalog))
    }
  }
  return problems
}

function checkTools(
  file: YamlFile<WrittenRegister>,
  place: Place,
  decision: WrittenDecision,
  catalog: Catalog,
): Problem[] {
  const tools: readonly string[] = catalog.tools.map((row) => row.id)
  const problems: Problem[] = []
  const subject = findSubject(decision.subject, catalog)
  if (typeof subject === 'string') {
    const [key] = Object.keys(decision.subject)
    problems.push(file.problem([...place, 'subject', key ?? ''], subject))
  }
  for (const [index, one] of decision.alternatives.entries()) {
    const id = typeof one === 'string' ? one : one.tool
    if (tools.includes(id)) continue
    problems.push(
      file.problem(
        [...place, 'alternatives', index],
        `there is no tool \`${id}\`; ${instead(id, tools)}`,
      ),
    )
  }
  return problems
}

/** The subject, or in words why there is none. */
export function findSubject(
  written: WrittenDecision['subject'],
  catalog: Catalog,
): Subject | string {
  const missing = (what: string, id: string, rows: readonly { readonly id: string }[]): string =>
    `there is no ${what} \`${id}\`; ${instead(
      id,
      rows.map((row) => row.id),
    )}`
  if (written.tool !== undefined) {
    const row = catalog.tools.find((tool) => tool.id === written.tool)
    return row === undefined
      ? missing('tool', written.tool, catalog.tools)
      : { kind: 'tool', tool: row.id }
  }
  if (written.vendor !== undefined) {
    return catalog.vendors.some((row) => row.id === written.vendor)
      ? { kind: 'vendor', vendor: written.vendor as VendorId }
      : missing('vendor', written.vendor, catalog.vendors)
  }
  if (written.provider !== undefined) {
    return catalog.providers.some((row) => row.id === written.provider)
      ? { kind: 'provider', provider: written.provider as ProviderId }
      : missing('provider', written.provider, catalog.providers)
  }
  if (written.modelFamily !== undefined) {
    return catalog.families.some((row) => row.id === written.modelFamily)
      ? { kind: 'model-family', family: written.modelFamily as ModelFamilyId }
      : missing('model family', written.modelFamily, catalog.families)
  }
  const release = written.release ?? ''
  const at = release.lastIndexOf('@')
  const name = release.slice(0, at)
  const row = catalog.tools.find((tool) => tool.packages.includes(name))
  if (row === undefined) {
    const packages = catalog.tools.flatMap((tool) => tool.packages)
    return `no tool of the catalog has the package \`${name}\`; ${instead(name, packages)}`
  }
  return {
    kind: 'release',
    tool: row.id,
    version: release.slice(at + 1),
    ...(written.sha512 === undefined ? {} : { sha512: written.sha512 }),
  }
}

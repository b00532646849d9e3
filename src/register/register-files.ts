import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Catalog } from '#words/catalog.ts'
import type { Decision, Site, Subject } from '#words/decision.ts'
import type { ToolId } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import { Fault } from '#words/faults.ts'
import { readDecision } from './decision-text.ts'
import type { RegisterUser } from './events.ts'
import { checkReferences, findSubject } from './references.ts'
import { registerSchema } from './register-schema.ts'
import type { WrittenRegister } from './register-schema.ts'
import { whenMs } from './when.ts'
import { readYamlFile, throwProblems } from './yaml-file.ts'
import type { Place, Problem, YamlFile } from './yaml-file.ts'

export type RegisterFile = YamlFile<WrittenRegister>

export type RegisterFiles = {
  readonly decisions: readonly Decision[]
  readonly sites: readonly Site[]
  readonly users: readonly RegisterUser[]
  readonly classifications: Readonly<Record<string, string>>
  /** A problem at the place where a decision is written. */
  problem(id: string, words: string): Problem
}

const filesMax = 10_000

/**
 * Reads `*.yaml` of a register folder (not below it). All files count together; each id stands once.
 *
 * Throws `register-invalid` with every problem of every file: what does not fit, ids that the
 * catalog or the register does not know, dates in the wrong order.
 */
export function readRegisterFiles(dir: string, catalog: Catalog): RegisterFiles {
  const names = existsSync(dir) ? readdirSync(dir).filter((name) => /\.ya?ml$/.test(name)) : []
  if (names.length > filesMax) {
    throw new Fault('register-invalid', { outward: `${dir} has more than ${filesMax} files.` })
  }
  const files = names
    .sort()
    .map((name) => readYamlFile(join(dir, name), registerSchema, 'register-invalid'))
  return combine(files, catalog)
}

export function combine(files: readonly RegisterFile[], catalog: Catalog): RegisterFiles {
  const problems: Problem[] = [...findDoubles(files)]
  problems.push(...checkReferences(files, catalog))
  throwProblems('register-invalid', problems)

  const sites = files.flatMap((file) => file.value.sites ?? []) as unknown as Site[]
  const places = new Map<string, { file: RegisterFile; place: Place }>()
  const decisions: Decision[] = []
  for (const file of files) {
    for (const [at, written] of (file.value.decisions ?? []).entries()) {
      const place: Place = ['decisions', at]
      const subject = readSubject(file, place, written.subject, catalog)
      const decision = readDecision(written, subject)
      places.set(decision.id, { file, place })
      decisions.push(decision)
      problems.push(
        ...orderProblems(decision, sites).map(([key, words]) =>
          file.problem([...place, key], words),
        ),
      )
    }
  }
  throwProblems('register-invalid', problems)
  if (decisions.length > limits.decisionsMax) {
    throw new Fault('register-invalid', {
      outward: `The register holds ${decisions.length} decisions; at most ${limits.decisionsMax}.`,
    })
  }
  return {
    decisions,
    sites,
    users: files
      .flatMap((file) => file.value.people ?? [])
      .map((person) => ({
        ...person,
        site: person.site ?? 'unknown',
      })) as unknown as RegisterUser[],
    classifications: Object.assign({}, ...files.map((file) => file.value.classifications ?? {})),
    problem(id, words) {
      const known = places.get(id)
      return known === undefined
        ? { file: 'register', line: 1, column: 1, words }
        : known.file.problem(known.place, words)
    },
  }
}

function readSubject(
  file: RegisterFile,
  place: Place,
  written: NonNullable<WrittenRegister['decisions']>[number]['subject'],
  catalog: Catalog,
): Subject {
  const found = findSubject(written, catalog)
  if (typeof found !== 'string') return found
  throwProblems('register-invalid', [file.problem([...place, 'subject'], found)])
  return { kind: 'tool', tool: '' as ToolId }
}

/** The same id twice would let one file silently undo another. */
function findDoubles(files: readonly RegisterFile[]): Problem[] {
  const problems: Problem[] = []
  for (const kind of ['decisions', 'sites', 'people'] as const) {
    const seen = new Map<string, string>()
    for (const file of files) {
      for (const [at, row] of (file.value[kind] ?? []).entries()) {
        const other = seen.get(row.id)
        if (other !== undefined) {
          problems.push(
            file.problem([kind, at, 'id'], `\`${row.id}\` already stands in ${other}; keep one`),
          )
        }
        seen.set(row.id, file.file)
      }
    }
  }
  const repositories = new Map<string, string>()
  for (const file of files) {
    for (const name of Object.keys(file.value.classifications ?? {})) {
      const other = repositories.get(name)
      if (other !== undefined) {
        problems.push(
          file.problem(['classifications', name], `\`${name}\` already stands in ${other}`),
        )
      }
      repositories.set(name, file.file)
    }
  }
  return problems
}

function orderProblems(decision: Decision, sites: readonly Site[]): [string, string][] {
  const problems: [string, string][] = []
  const zones = sites.length === 0 ? ['UTC'] : [...new Set(sites.map((site) => site.timeZone))]
  const { effectiveFrom: from, effectiveUntil: until, announceFrom: announce } = decision
  if (until !== undefined && zones.some((zone) => whenMs(until, zone) <= whenMs(from, zone))) {
    problems.push(['effectiveUntil', 'it ends before it starts; write a later date'])
  }
  if (announce !== undefined && zones.some((zone) => whenMs(announce, zone) > whenMs(from, zone))) {
    problems.push(['announceFrom', 'it is announced after it starts; write an earlier date'])
  }
  if (announce !== undefined && decision.status !== 'prohibited' && decision.status !== 'retired') {
    problems.push([
      'announceFrom',
      `only what is \`prohibited\` or \`retired\` is announced; this is \`${decision.status}\`: take it out`,
    ])
  }
  const own = decision.subject.kind === 'tool' ? decision.subject.tool : null
  if (own !== null && decision.alternatives.some((one) => one.tool === own)) {
    problems.push(['alternatives', 'a tool cannot be its own alternative'])
  }
  return problems
}

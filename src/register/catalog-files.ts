import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { z } from 'zod'
import type { Catalog, CatalogModelFamily, CatalogProvider, CatalogTool } from '#words/catalog.ts'
import { Fault } from '#words/faults.ts'
import { familySchema, providerSchema, toolSchema, vendorsSchema } from './catalog-schema.ts'
import { instead } from './near.ts'
import { readYamlFile, throwProblems } from './yaml-file.ts'
import type { Place, Problem, YamlFile } from './yaml-file.ts'

const filesMax = 500

export type ToolTraces = NonNullable<z.infer<typeof toolSchema>['traces']>

/**
 * Reads a folder of catalog files: `tools/*.yaml`, `providers/*.yaml`, `families/*.yaml` and
 * `vendors.yaml`.
 *
 * Throws `catalog-invalid` with every problem of every file: what does not fit the schema, an id
 * that is not the file's name, ids that nobody defines, a mount or host that two providers claim.
 */
export function loadCatalog(dir: string): Catalog {
  return readCatalog(dir).catalog
}

/** As `loadCatalog`, with what the tools leave on a machine (not part of a bundle). */
export function readCatalog(dir: string): {
  readonly catalog: Catalog
  readonly traces: ReadonlyMap<string, ToolTraces>
} {
  if (!existsSync(join(dir, 'vendors.yaml'))) {
    throw new Fault('catalog-invalid', { outward: `${dir} is no catalog: it has no vendors.yaml` })
  }
  const vendors = readYamlFile(join(dir, 'vendors.yaml'), vendorsSchema, 'catalog-invalid')
  const tools = readFolder(dir, 'tools', toolSchema)
  const providers = readFolder(dir, 'providers', providerSchema)
  const families = readFolder(dir, 'families', familySchema)
  throwProblems('catalog-invalid', crossCheck({ vendors, tools, providers, families }))

  const traces = new Map<string, ToolTraces>()
  const plainTools = tools.map(({ value }) => {
    const { traces: left, ...tool } = value
    if (left !== undefined) traces.set(tool.id, left)
    return tool as unknown as CatalogTool
  })
  return {
    catalog: {
      tools: plainTools,
      providers: providers.map((file) => file.value as unknown as CatalogProvider),
      families: families.map((file) => file.value as unknown as CatalogModelFamily),
      vendors: vendors.value.vendors as unknown as Catalog['vendors'],
    },
    traces,
  }
}

function readFolder<Schema extends z.ZodType>(
  dir: string,
  folder: string,
  schema: Schema,
): YamlFile<z.infer<Schema>>[] {
  const path = join(dir, folder)
  if (!existsSync(path)) return []
  // Sorted, so that the same files give the same bundle digest on every machine.
  const names = readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
  if (names.length > filesMax) {
    throw new Fault('catalog-invalid', { outward: `${path} has more than ${filesMax} files` })
  }
  return names.map((name) => readYamlFile(join(path, name), schema, 'catalog-invalid'))
}

type Files = {
  readonly vendors: YamlFile<z.infer<typeof vendorsSchema>>
  readonly tools: readonly YamlFile<z.infer<typeof toolSchema>>[]
  readonly providers: readonly YamlFile<z.infer<typeof providerSchema>>[]
  readonly families: readonly YamlFile<z.infer<typeof familySchema>>[]
}

function crossCheck(files: Files): Problem[] {
  const problems: Problem[] = []
  const vendorIds = files.vendors.value.vendors.map((vendor) => vendor.id)
  const providerIds = files.providers.map((file) => file.value.id)
  const known = (
    file: YamlFile<unknown>,
    place: Place,
    what: string,
    id: string,
    ids: readonly string[],
  ): void => {
    if (ids.includes(id)) return
    problems.push(file.problem(place, `there is no ${what} \`${id}\`; ${instead(id, ids)}`))
  }
  for (const file of [...files.tools, ...files.providers, ...files.families]) {
    const { id, vendor } = file.value
    const name = basename(file.file).replace(/\.ya?ml$/, '')
    if (id !== name) {
      problems.push(file.problem(['id'], `the id is \`${id}\` but the file is called \`${name}\``))
    }
    known(file, ['vendor'], 'vendor', vendor, vendorIds)
  }
  for (const file of files.tools) {
    file.value.providers.forEach((provider, at) =>
      known(file, ['providers', at], 'provider', provider, providerIds),
    )
  }
  problems.push(...doubles(files))
  return problems
}

/** A mount or host with two owners could send one provider's credential to the other. */
function doubles(files: Files): Problem[] {
  const problems: Problem[] = []
  const mounts = new Map<string, string>()
  const hosts = new Map<string, string>()
  for (const file of files.providers) {
    const { id, mount } = file.value
    const other = mounts.get(mount)
    if (other !== undefined) {
      problems.push(file.problem(['mount'], `\`${mount}\` is already the mount of ${other}`))
    }
    mounts.set(mount, id)
    file.value.hosts.forEach((row, at) => {
      const owner = hosts.get(row.host)
      if (owner !== undefined) {
        problems.push(
          file.problem(['hosts', at, 'host'], `\`${row.host}\` already belongs to ${owner}`),
        )
      }
      hosts.set(row.host, id)
    })
  }
  return problems
}

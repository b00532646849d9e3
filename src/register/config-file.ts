import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import type { z } from 'zod'
import { base32 } from '#words/ids.ts'
import { configSchema } from './config-schema.ts'
import { instead } from './near.ts'
import { parseYaml, readYamlFile, throwProblems } from './yaml-file.ts'

type FileConfig = z.infer<typeof configSchema>

/** The configuration with every default filled in and every path absolute. */
export type Config = Omit<FileConfig, 'gateName' | 'catalogDir' | 'policiesDir' | 'registerDir'> & {
  readonly gateName: string
  readonly catalogDir: string
  readonly policiesDir: string
  readonly registerDir: string
}

const shipped = resolve(import.meta.dirname, '../..')

/**
 * Reads `<home>/postern.yaml`. Without the file, the defaults.
 *
 * Throws `config-invalid` with file, line, column and what to write instead; nothing is ever
 * ignored, so that a misspelt key cannot leave a wall down.
 */
export function loadConfig(home: string): Config {
  const path = join(home, 'postern.yaml')
  const file = existsSync(path)
    ? readYamlFile(path, configSchema, 'config-invalid')
    : parseYaml('{}', configSchema, 'config-invalid', path)
  const { value } = file
  throwProblems(
    'config-invalid',
    Object.keys(value.providerBaseUrls)
      .filter((id) => !existsSync(join(catalogOf(home, value), 'providers', `${id}.yaml`)))
      .map((id) =>
        file.problem(
          ['providerBaseUrls', id],
          `there is no provider \`${id}\` in the catalog; ${instead(id, ['anthropic', 'openai'])}`,
        ),
      ),
  )
  const at = (path: string): string => resolve(home, path)
  return {
    ...value,
    ...(value.upstreamCaFile === undefined ? {} : { upstreamCaFile: at(value.upstreamCaFile) }),
    gateName: value.gateName ?? defaultGateName(home),
    catalogDir: catalogOf(home, value),
    policiesDir:
      value.policiesDir === undefined ? join(shipped, 'policies') : at(value.policiesDir),
    registerDir: at(value.registerDir ?? 'register'),
  }
}

function catalogOf(home: string, value: FileConfig): string {
  return value.catalogDir === undefined ? join(shipped, 'catalog') : resolve(home, value.catalogDir)
}

/** The same at every start of the same home on the same machine, and different elsewhere. */
function defaultGateName(home: string): string {
  const digest = createHash('sha256')
    .update(`${hostname()}\n${resolve(home)}`)
    .digest()
  return `gate-${base32(digest).slice(0, 6)}`
}

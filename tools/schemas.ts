/**
 * Writes the JSON Schemas of the files that people edit, for editors (`yaml.schemas` in VS Code, or
 * `# yaml-language-server: $schema=…` on the first line of a file):
 *
 *   node tools/schemas.ts --write
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import {
  familySchema,
  providerSchema,
  toolSchema,
  vendorsSchema,
} from '../src/register/catalog-schema.ts'
import { configSchema } from '../src/register/config-schema.ts'
import { registerSchema } from '../src/register/register-schema.ts'

const dir = resolve(import.meta.dirname, '../docs/reference/schemas')

const schemas: Readonly<Record<string, { readonly title: string; readonly schema: z.ZodType }>> = {
  'config.json': { title: 'postern.yaml', schema: configSchema },
  'register.json': { title: 'register/*.yaml', schema: registerSchema },
  'catalog-tool.json': { title: 'catalog/tools/*.yaml', schema: toolSchema },
  'catalog-provider.json': { title: 'catalog/providers/*.yaml', schema: providerSchema },
  'catalog-family.json': { title: 'catalog/families/*.yaml', schema: familySchema },
  'catalog-vendors.json': { title: 'catalog/vendors.yaml', schema: vendorsSchema },
}

/** File name to text. What the schema language cannot say is checked when the file is read. */
export function schemaFiles(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { title, schema }]) => {
      const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
      return [name, `${JSON.stringify({ title, ...made }, null, 2)}\n`]
    }),
  )
}

export function staleSchemas(): readonly string[] {
  return Object.entries(schemaFiles())
    .filter(([name, text]) => readOrNothing(join(dir, name)) !== text)
    .map(([name]) => name)
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

if (process.argv[1] === import.meta.filename) {
  if (process.argv.includes('--write')) {
    mkdirSync(dir, { recursive: true })
    for (const [name, text] of Object.entries(schemaFiles())) writeFileSync(join(dir, name), text)
  } else if (staleSchemas().length > 0) {
    process.stderr.write(
      `stale: ${staleSchemas().join(', ')}; run \`node tools/schemas.ts --write\`\n`,
    )
    process.exitCode = 1
  }
}

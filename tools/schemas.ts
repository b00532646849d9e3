/**
 * Writes the JSON Schemas of the files that people edit into docs/reference/schemas, for editors
 * (`yaml.schemas` in VS Code, or `# yaml-language-server: $schema=…` on the first line of a file):
 *
 *   node tools/schemas.ts --write
 *
 * Without `--write` it says which are stale; `src/register/schema-files.test.ts` does so as well.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { schemaFiles } from '../src/register/schema-files.ts'

const dir = resolve(import.meta.dirname, '../docs/reference/schemas')
const write = process.argv.includes('--write')
mkdirSync(dir, { recursive: true })
for (const [name, text] of Object.entries(schemaFiles())) {
  const path = join(dir, name)
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
  if (write) writeFileSync(path, text)
  else {
    process.stderr.write(`stale: ${name}; run \`node tools/schemas.ts --write\`\n`)
    process.exitCode = 1
  }
}

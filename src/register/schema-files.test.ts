import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { schemaFiles } from './schema-files.ts'

const published = 'docs/reference/schemas'

test('the published JSON Schemas are those of the code: node tools/schemas.ts --write', () => {
  const held = Object.fromEntries(
    readdirSync(published).map((name) => [name, readFileSync(join(published, name), 'utf8')]),
  )
  expect(held).toEqual(schemaFiles())
})

test('a schema says which keys there are and refuses others', () => {
  const register = JSON.parse(schemaFiles()['register.json'] ?? '') as {
    additionalProperties: unknown
    properties: Record<string, unknown>
  }
  expect(register.additionalProperties).toBe(false)
  expect(Object.keys(register.properties)).toContain('decisions')
})

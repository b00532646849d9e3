import { expect, test } from 'vitest'
import { schemaFiles, staleSchemas } from '../../tools/schemas.ts'

test('the published JSON Schemas are those of the code: node tools/schemas.ts --write', () => {
  expect(staleSchemas()).toEqual([])
})

test('a schema says which keys there are and refuses others', () => {
  const register = JSON.parse(schemaFiles()['register.json'] ?? '') as {
    additionalProperties: unknown
    properties: Record<string, unknown>
  }
  expect(register.additionalProperties).toBe(false)
  expect(Object.keys(register.properties)).toContain('decisions')
})

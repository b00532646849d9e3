import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { statusQueries } from './queries.ts'

const golden = join(import.meta.dirname, 'queries.golden.sql')

// UPDATE_GOLDEN=1 writes it again; the difference is then read in review.
test('the SQL of each query is the one that was reviewed', () => {
  const text = statusQueries
    .map(({ name, sql, parameters }) => `-- ${name} ${JSON.stringify(parameters)}\n${sql};\n`)
    .join('\n')
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, text)
  expect(text).toBe(readFileSync(golden, 'utf8'))
})

/**
 * `npm run bench -- NAME|all [--json] [--no-peers] [--only CASE] [--write] [--profile DIR]`
 *
 * One JSON object a line with --json, else an aligned table. --write makes docs/benchmarks.md from
 * this run and what earlier runs of other benches left in docs/benchmarks.json.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { parseArgs } from 'node:util'
import { profileTable } from './profile.ts'
import type { Bench, Machine, Row } from './rows.ts'
import { page, rowLine } from './rows.ts'

const names = ['gate', 'decide', 'record'] as const
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    'no-peers': { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    write: { type: 'boolean', default: false },
    profile: { type: 'string', default: '' },
  },
})
const asked = positionals.includes('all') ? [...names] : positionals
const unknown = asked.filter((name) => !names.some((known) => known === name))
if (asked.length === 0 || unknown.length > 0) {
  process.stderr.write(`npm run bench -- ${names.join('|')}|all [--json] [--only CASE] [--write]\n`)
  process.exit(1)
}

const machine: Machine = {
  cores: String(availableParallelism()),
  cpu: cpus()[0]?.model ?? 'unknown',
  memory: `${(totalmem() / 1024 ** 3).toFixed(0)} GiB`,
  kernel: release(),
  node: process.version,
}
if (!values.json) process.stdout.write(`${Object.values(machine).join(', ')}\n`)

const rows: Row[] = []
for (const name of asked) {
  const { bench } = (await import(`./${name}.ts`)) as { bench: Bench }
  if (!values.json) process.stdout.write(`\n${name}\n`)
  await bench(
    (row) => {
      rows.push(row)
      process.stdout.write(`${values.json ? JSON.stringify(row) : rowLine(row)}\n`)
    },
    { peers: !values['no-peers'], only: values.only, profileDir: values.profile },
  )
}
if (values.write) write(rows)
if (values.profile !== '') process.stdout.write(`\n${profileTable(values.profile)}`)
const short = rows.filter((row) => row.holds === false)
if (!values.json) {
  const held = rows.filter((row) => row.holds === true).length
  process.stdout.write(`\n${held} targets hold, ${short.length} fall short\n`)
}
process.exit(0)

/** Benches that did not run now keep their figures of the last time. */
function write(fresh: readonly Row[]): void {
  const kept = 'docs/benchmarks.json'
  type Kept = { readonly machine: Machine; readonly rows: readonly Row[] }
  const before = existsSync(kept)
    ? (JSON.parse(readFileSync(kept, 'utf8')) as Kept)
    : { machine, rows: [] }
  const cases = new Set(fresh.map((row) => `${row.bench} ${row.case}`))
  const same = (row: Row): boolean =>
    values.only === '' ? asked.includes(row.bench) : cases.has(`${row.bench} ${row.case}`)
  const all = [...before.rows.filter((row) => !same(row)), ...fresh]
  const ordered = names.flatMap((name) => all.filter((row) => row.bench === name))
  writeFileSync(kept, `${JSON.stringify({ machine, rows: ordered }, null, 1)}\n`)
  writeFileSync('docs/benchmarks.md', page(machine, ordered))
}

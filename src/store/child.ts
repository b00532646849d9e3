/**
 * The process in which PGlite lives: it blocks its thread and holds 0.5 to 0.9 GB, so it is kept
 * away from everything that has to answer in time.
 *
 * Ends when the parent's channel closes. Two processes on one PGlite folder damage it, so the
 * folder is locked; a second one ends at once with exit code 75.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { CompiledQuery, Kysely, PGliteDialect, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { isFault, unreachable } from '#words/faults.ts'
import { apply, position } from './apply.ts'
import { takeLock } from './lock.ts'
import { migrationProvider } from './migrations.ts'
import type { StoreAnswer, StoreCall } from './protocol.ts'
import type { Tables } from './tables.ts'

const folder = process.argv[2]
if (folder === undefined || process.send === undefined) process.exit(64)
// Ctrl-C in a terminal reaches the whole group: the parent says when to end.
process.on('SIGINT', () => undefined)
process.on('disconnect', () => process.exit(0))

mkdirSync(folder, { recursive: true, mode: 0o700 })
try {
  const lock = takeLock(join(folder, 'store.lock'))
  process.on('exit', () => lock[Symbol.dispose]())
} catch (error) {
  if (isFault(error, 'already-running')) process.exit(75)
  throw error
}

const { PGlite } = await import('@electric-sql/pglite')
const db = new Kysely<Tables>({
  dialect: new PGliteDialect({ pglite: new PGlite(join(folder, 'pglite')) }),
})
const migrated = await new Migrator({ db, provider: migrationProvider }).migrateToLatest()
if (migrated.error !== undefined) throw migrated.error

let queue: Promise<void> = Promise.resolve()
process.on('message', (call: StoreCall) => {
  queue = queue.then(() => answer(call))
})
send({ id: 0, ok: true, value: 'ready' })

async function answer(call: StoreCall): Promise<void> {
  try {
    send({ id: call.id, ok: true, value: await run(call) })
  } catch (error) {
    send({ id: call.id, ok: false, message: error instanceof Error ? error.message : 'unknown' })
  }
}

async function run(call: StoreCall): Promise<unknown> {
  switch (call.do) {
    case 'apply':
      return apply(db, call.batch, call.atMs)
    case 'position':
      return position(db)
    case 'select':
      return select(call)
    default:
      return unreachable(call)
  }
}

/** Read only, by the database's own word: a question cannot change a projection. */
async function select(call: Extract<StoreCall, { do: 'select' }>): Promise<unknown[]> {
  return db.transaction().execute(async (trx) => {
    // Said in SQL: the dialect for PGlite leaves an access mode of the builder out.
    await sql`set transaction read only`.execute(trx)
    await sql`set local statement_timeout = 20000`.execute(trx)
    const { rows } = await trx.executeQuery(CompiledQuery.raw(call.sql, [...call.parameters]))
    return rows.slice(0, call.rowsMax)
  })
}

function send(message: StoreAnswer): void {
  process.send?.(message)
}

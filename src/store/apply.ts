import { sql } from 'kysely'
import type { Kysely, RawBuilder, Transaction } from 'kysely'
import { columns } from './tables.ts'
import type { Batch, Tables } from './tables.ts'

/**
 * Applies a batch in one transaction and returns the index that comes next.
 *
 * A batch that starts elsewhere than where the store stands changes nothing (the caller asks
 * `position` and reads on from there), so nothing is counted twice and nothing is left out.
 * Rows go over as one JSON document a table: one parameter, however many rows.
 */
export async function apply(db: Kysely<Tables>, batch: Batch, atMs: number): Promise<number> {
  return db.transaction().execute(async (trx) => {
    const at = await position(trx)
    if (at !== batch.from) return at
    await insert(trx, 'entries', batch.entries)
    await insert(trx, 'exchanges', batch.exchanges)
    await closeExchanges(trx, batch.outcomes)
    await insert(trx, 'decisions', batch.decisions)
    await insert(trx, 'connections', batch.connections)
    await insert(trx, 'checkpoints', batch.checkpoints)
    await trx.updateTable('progress').set({ next_index: batch.next, at_ms: atMs }).execute()
    return batch.next
  })
}

export async function position(db: Kysely<Tables>): Promise<number> {
  const row = await db.selectFrom('progress').select('next_index').executeTakeFirst()
  return row?.next_index ?? 0
}

type Table = Exclude<keyof typeof columns, 'outcomes'>

async function insert(
  trx: Transaction<Tables>,
  table: Table,
  rows: readonly object[],
): Promise<void> {
  if (rows.length === 0) return
  const names = Object.keys(columns[table])
  await sql`insert into ${sql.table(table)} (${sql.join(names.map((name) => sql.ref(name)))})
    select ${sql.join(names.map((name) => sql.ref(`given.${name}`)))}
    from ${recordset(rows, columns[table])}
    on conflict do nothing`.execute(trx)
}

async function closeExchanges(trx: Transaction<Tables>, rows: readonly object[]): Promise<void> {
  if (rows.length === 0) return
  const assignments = Object.keys(columns.outcomes).map(
    (name) => sql`${sql.ref(name)} = ${sql.ref(`given.${name}`)}`,
  )
  const types = { node: 'text', counter: 'bigint', ...columns.outcomes }
  await sql`update exchanges set ${sql.join(assignments)} from ${recordset(rows, types)}
    where exchanges.node = given.node and exchanges.counter = given.counter`.execute(trx)
}

function recordset(
  rows: readonly object[],
  types: Readonly<Record<string, string>>,
): RawBuilder<unknown> {
  const declared = Object.entries(types).map(
    ([name, type]) => sql`${sql.ref(name)} ${sql.raw(type)}`,
  )
  return sql`jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as given(${sql.join(declared)})`
}

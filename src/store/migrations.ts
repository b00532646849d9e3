import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { Migration, MigrationProvider } from 'kysely/migration'
import { columns } from './tables.ts'

/**
 * Migrations by name; one that was released is never changed. Since the store can always be
 * rebuilt, going back is dropping everything and replaying the log.
 */
const migrations: Readonly<Record<string, Migration>> = {
  '0001-projections': { up: first },
}

export const migrationProvider: MigrationProvider = {
  getMigrations: () => Promise.resolve({ ...migrations }),
}

async function first(db: Kysely<unknown>): Promise<void> {
  const keys = {
    entries: ['index'],
    exchanges: ['node', 'counter'],
    decisions: ['index'],
    connections: ['index'],
    checkpoints: ['size'],
  } as const
  const nullable = new Set(['subject', 'body', 'decision'])
  for (const [table, key] of Object.entries(keys)) {
    let builder = db.schema.createTable(table)
    const own = columns[table as keyof typeof keys]
    for (const [name, type] of Object.entries(own)) {
      builder = builder.addColumn(name, type, (column) =>
        nullable.has(name) ? column : column.notNull(),
      )
    }
    if (table === 'exchanges') {
      for (const [name, type] of Object.entries(columns.outcomes)) {
        builder = builder.addColumn(name, type)
      }
    }
    await builder.addPrimaryKeyConstraint(`${table}_key`, [...key] as never[]).execute()
  }
  await db.schema.createIndex('exchanges_at').on('exchanges').column('at_ms').execute()
  await db.schema.createIndex('exchanges_exchange').on('exchanges').column('exchange').execute()
  await db.schema.createIndex('entries_kind').on('entries').columns(['kind', 'index']).execute()

  await db.schema
    .createTable('progress')
    .addColumn('one', 'integer', (column) => column.primaryKey().check(sql`one = 1`))
    .addColumn('next_index', 'bigint', (column) => column.notNull())
    .addColumn('at_ms', 'bigint', (column) => column.notNull())
    .execute()
  await sql`insert into progress (one, next_index, at_ms) values (1, 0, 0)`.execute(db)
}

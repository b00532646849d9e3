import {
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import type { CompiledSelect } from '#store/store.ts'
import type { Tables } from '#store/tables.ts'

/**
 * The questions of the status page, as text: written once with types, compiled without a database,
 * kept in a golden file (`queries.golden.sql`) so that a change of SQL is seen in review.
 */
const db = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (inner) => new PostgresIntrospector(inner),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
})

export type VerdictCount = {
  readonly verdict: string
  readonly would_be: string
  readonly n: number
}

export function countVerdicts(sinceMs: number): CompiledSelect<VerdictCount> {
  const query = db
    .selectFrom('exchanges')
    .select(['verdict', 'would_be', (e) => e.cast<number>(e.fn.countAll(), 'integer').as('n')])
    .where('at_ms', '>=', sinceMs)
    .groupBy(['verdict', 'would_be'])
    .orderBy('verdict')
    .orderBy('would_be')
    .compile()
  return { name: 'countVerdicts', sql: query.sql, parameters: query.parameters }
}

export type ToolCount = {
  readonly tool: string
  readonly verdict: string
  readonly n: number
  readonly people: number
}

/** `people` counts monthly pseudonyms: over several months one person counts once a month. */
export function countTools(sinceMs: number): CompiledSelect<ToolCount> {
  const query = db
    .selectFrom('exchanges')
    .select((e) => [
      'tool',
      'verdict',
      e.cast<number>(e.fn.countAll(), 'integer').as('n'),
      e.cast<number>(e.fn.count('subject').distinct(), 'integer').as('people'),
    ])
    .where('at_ms', '>=', sinceMs)
    .groupBy(['tool', 'verdict'])
    .orderBy('n', 'desc')
    .orderBy('tool')
    .orderBy('verdict')
    .limit(200)
    .compile()
  return { name: 'countTools', sql: query.sql, parameters: query.parameters }
}

export type RecentExchange = {
  readonly index: number
  readonly at_ms: number
  readonly exchange: string
  readonly subject: string | null
  readonly tool: string
  readonly release: string
  readonly provider: string
  readonly verdict: string
  readonly would_be: string
  readonly decision: string | null
  readonly result: string | null
  readonly http_status: number | null
}

export function listRecentExchanges(limit: number): CompiledSelect<RecentExchange> {
  const query = db
    .selectFrom('exchanges')
    .select([
      'index',
      'at_ms',
      'exchange',
      'subject',
      'tool',
      'release',
      'provider',
      'verdict',
      'would_be',
      'decision',
      'result',
      'http_status',
    ])
    .orderBy('index', 'desc')
    .limit(limit)
    .compile()
  return { name: 'listRecentExchanges', sql: query.sql, parameters: query.parameters }
}

/** Verdicts whose outcome the log does not tell: still open, or their gate has not shipped yet. */
export function countOpenExchanges(): CompiledSelect<{ readonly n: number }> {
  const query = db
    .selectFrom('exchanges')
    .select((e) => e.cast<number>(e.fn.countAll(), 'integer').as('n'))
    .where('result', 'is', null)
    .compile()
  return { name: 'countOpenExchanges', sql: query.sql, parameters: query.parameters }
}

export type KindCount = { readonly kind: string; readonly n: number }

export function countKinds(): CompiledSelect<KindCount> {
  const query = db
    .selectFrom('entries')
    .select((e) => ['kind', e.cast<number>(e.fn.countAll(), 'integer').as('n')])
    .groupBy('kind')
    .orderBy('kind')
    .compile()
  return { name: 'countKinds', sql: query.sql, parameters: query.parameters }
}

export const statusQueries = [
  countVerdicts(0),
  countTools(0),
  listRecentExchanges(50),
  countOpenExchanges(),
  countKinds(),
] as const

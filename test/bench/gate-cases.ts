import type { Kind } from './gate-bodies.ts'

export type Case = {
  readonly name: string
  readonly door: 'base-url' | 'tls'
  readonly kind: Kind
  readonly bytes: number
  readonly clients: number
  readonly stream: boolean
  readonly perSecond?: number
  /** Least throughput over the pipe's. */
  readonly ratioMin?: number
  readonly rssMiBMax?: number
}

const kB = 1_000
const size = (bytes: number): string => (bytes >= 1_000 * kB ? '1 MB' : `${bytes / kB} kB`)

function throughput(
  what: Omit<Case, 'name' | 'door' | 'stream'> & Partial<Pick<Case, 'door' | 'stream'>>,
): Case {
  const door = what.door ?? 'base-url'
  const stream = what.stream ?? false
  const form = stream ? ' SSE' : ''
  const name = `${door} ${what.kind} ${size(what.bytes)} x${what.clients}${form}`
  return { ...what, door, stream, name }
}

/** The targets are of the plan; where a row has none it is there to be seen. */
export const cases: readonly Case[] = [
  throughput({ kind: 'growing', bytes: 1 * kB, clients: 32 }),
  throughput({ kind: 'fresh', bytes: 1 * kB, clients: 32 }),
  throughput({ kind: 'growing', bytes: 100 * kB, clients: 8, ratioMin: 0.7 }),
  throughput({ kind: 'fresh', bytes: 100 * kB, clients: 8, ratioMin: 0.45 }),
  throughput({ kind: 'growing', bytes: 100 * kB, clients: 32, ratioMin: 0.7, rssMiBMax: 200 }),
  throughput({ kind: 'fresh', bytes: 100 * kB, clients: 32, ratioMin: 0.45, rssMiBMax: 200 }),
  throughput({ kind: 'growing', bytes: 400 * kB, clients: 32 }),
  throughput({ kind: 'fresh', bytes: 400 * kB, clients: 32 }),
  throughput({ kind: 'growing', bytes: 1_000 * kB, clients: 32, rssMiBMax: 450 }),
  throughput({ kind: 'fresh', bytes: 1_000 * kB, clients: 32, rssMiBMax: 450 }),
  throughput({ kind: 'growing', bytes: 100 * kB, clients: 8, stream: true }),
  throughput({ kind: 'growing', bytes: 100 * kB, clients: 8, door: 'tls' }),
  throughput({ kind: 'fresh', bytes: 100 * kB, clients: 8, door: 'tls' }),
  {
    name: 'base-url growing 100 kB, 20 a second',
    door: 'base-url',
    kind: 'growing',
    bytes: 100 * kB,
    clients: 8,
    stream: false,
    perSecond: 20,
  },
  {
    name: 'tls growing 100 kB, 20 a second',
    door: 'tls',
    kind: 'growing',
    bytes: 100 * kB,
    clients: 8,
    stream: false,
    perSecond: 20,
  },
]

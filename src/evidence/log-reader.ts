import { folderSource } from '#record/log-source.ts'
import type { LogSource } from '#record/log-source.ts'
import { parseCheckpoint } from '#record/checkpoint.ts'
import type { Checkpoint } from '#record/checkpoint.ts'
import { readBundle, readTile, tileWidth, widthAt } from '#record/tiles.ts'
import { Fault } from '#words/faults.ts'

/** A leaf as it is read back. `public` is what a gate said: shapes are checked where it is used. */
export type ReadLeaf = {
  readonly index: number
  readonly at: number
  readonly counter: number
  readonly kind: string
  readonly node: string
  readonly of: number
  readonly subject: string | null
  readonly public: Readonly<Record<string, unknown>>
}

/**
 * Reads our own log from its folder, for projections and the status page.
 *
 * It believes the tiles as they lie there: proof is `verifyLog`'s work, done by whoever asks for
 * proof. Throws `log-unreachable` or `log-invalid`.
 */
export type LogReader = {
  /** Null for a log that has no checkpoint yet. */
  checkpoint(): Promise<Checkpoint | null>
  /** Leaves [from, to); at most `leavesPerReadMax` of them. */
  read(from: number, to: number, size: number): Promise<ReadLeaf[]>
}

export const leavesPerReadMax = 4_096

export function createLogReader(dir: string): LogReader {
  const source: LogSource = folderSource(dir)
  return {
    async checkpoint() {
      const bytes = await source.read('checkpoint')
      return bytes === null ? null : parseCheckpoint(bytes.toString('utf8'))
    },
    async read(from, to, size) {
      const end = Math.min(to, size, from + leavesPerReadMax)
      const leaves: ReadLeaf[] = []
      for (let at = from; at < end;) {
        const index = Math.floor(at / tileWidth)
        const width = widthAt(0, index, size)
        const entries = readBundle(await readTile(source, 'entries', index, width), width)
        const until = Math.min(end, (index + 1) * tileWidth)
        for (; at < until; at += 1) leaves.push(parseLeaf(entries[at % tileWidth] as Buffer, at))
      }
      return leaves
    },
  }
}

function parseLeaf(entry: Buffer, index: number): ReadLeaf {
  let leaf: Partial<Record<keyof ReadLeaf | 'v', unknown>>
  try {
    leaf = clean(JSON.parse(entry.toString('utf8'))) as typeof leaf
  } catch (cause) {
    throw new Fault('log-invalid', { outward: `Entry ${index} of the log is not JSON.`, cause })
  }
  return {
    index,
    at: numberOf(leaf.at),
    counter: numberOf(leaf.counter),
    kind: textOf(leaf.kind),
    node: textOf(leaf.node),
    of: numberOf(leaf.of),
    subject: typeof leaf.subject === 'string' ? leaf.subject : null,
    public: objectOf(leaf.public),
  }
}

/**
 * Some of these words a client chose, its model for one. PostgreSQL takes neither U+0000 nor half
 * of a surrogate pair: one such name would stop every projection, so both are replaced.
 */
function clean(value: unknown): unknown {
  if (typeof value === 'string') return value.toWellFormed().replaceAll('\u0000', '\ufffd')
  if (Array.isArray(value)) return value.map(clean)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [clean(key) as string, clean(member)]),
  )
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** A safe number; -1 for anything else. */
export function numberOf(value: unknown): number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER ? value : -1
}

export function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {}
}

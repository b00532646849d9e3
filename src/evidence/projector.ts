import type { Store } from '#store/store.ts'
import type { Batch } from '#store/tables.ts'
import { isFault } from '#words/faults.ts'
import type { LogReader, ReadLeaf } from './log-reader.ts'
import { rowsOf } from './rows.ts'

export type ProjectorState = {
  /** Entries that are in the log and not yet in the store; -1 while the store was not asked. */
  readonly lag: number
  readonly position: number
  readonly logSize: number
}

export type Projector = {
  /** Reads on until the store stands where the log does. Throws `store-unavailable`. */
  catchUp(): Promise<ProjectorState>
  state(): ProjectorState
  close(): void
}

const batchLeaves = 2_048

/**
 * Carries the log into the store. The store remembers how far it is, in the same transaction as
 * the rows, so a crash on either side repeats nothing and skips nothing.
 *
 * A batch that the database will not take is cut in two until the leaf that it refuses stands
 * alone; that one is then entered without its content, and the rest goes on.
 */
export function createProjector(input: {
  readonly reader: LogReader
  readonly store: Store
  readonly nowMs: () => number
  readonly onRefused?: (index: number) => void
}): Projector {
  const { reader, store } = input
  let state: ProjectorState = { lag: -1, position: 0, logSize: 0 }
  let running: Promise<ProjectorState> | null = null
  let closed = false

  async function work(): Promise<ProjectorState> {
    let position = await store.position()
    for (;;) {
      const checkpoint = await reader.checkpoint()
      const logSize = checkpoint?.size ?? 0
      state = { lag: Math.max(0, logSize - position), position, logSize }
      if (closed || checkpoint === null || position >= logSize) return state
      while (position < logSize && !closed) {
        const leaves = await reader.read(position, position + batchLeaves, logSize)
        position = await add(leaves, position + leaves.length === logSize ? checkpoint : null)
        state = { lag: Math.max(0, logSize - position), position, logSize }
      }
    }
  }

  async function add(
    leaves: readonly ReadLeaf[],
    head: {
      readonly size: number
      readonly root: Buffer
      readonly note: { lines: readonly unknown[] }
    } | null,
  ): Promise<number> {
    const from = leaves[0]?.index ?? 0
    const checkpoints: Batch['checkpoints'] =
      head === null
        ? []
        : [
            {
              size: head.size,
              at_ms: input.nowMs(),
              root: head.root.toString('base64'),
              witnesses: head.note.lines.length - 1,
            },
          ]
    const next = from + leaves.length
    try {
      return await store.apply({ ...rowsOf(leaves), checkpoints, from, next })
    } catch (error) {
      // Down is down; only a database that is there and says no makes us look for the leaf.
      if (!isFault(error, 'store-unavailable') || store.state() !== 'ready') throw error
      if (leaves.length > 1) {
        const middle = leaves.length >> 1
        await add(leaves.slice(0, middle), null)
        return add(leaves.slice(middle), head)
      }
      input.onRefused?.(from)
      const [bare] = leaves.map((leaf) => ({ ...leaf, kind: 'unreadable', public: {} }))
      const rows = rowsOf(bare === undefined ? [] : [bare])
      return store.apply({ ...rows, checkpoints: [], from, next })
    }
  }

  return {
    catchUp() {
      running ??= work().finally(() => {
        running = null
      })
      return running
    },
    state: () => state,
    close() {
      closed = true
    },
  }
}

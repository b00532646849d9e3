import { expect, test } from 'vitest'
import type { Store } from '#store/store.ts'
import type { Batch } from '#store/tables.ts'
import { Fault } from '#words/faults.ts'
import type { LogReader, ReadLeaf } from './log-reader.ts'
import { createProjector } from './projector.ts'

const leafOf = (index: number): ReadLeaf => ({
  index,
  at: index,
  counter: index + 1,
  kind: 'verdict',
  node: 'gate-a/0',
  of: 0,
  subject: null,
  public: { exchange: `ex_${index}`, status: 'approved', bytes: 1e300 },
})

test('one leaf that the database refuses does not stop those behind it', async () => {
  const batches: Batch[] = []
  let position = 0
  const store: Pick<Store, 'position' | 'apply' | 'state'> = {
    position: () => Promise.resolve(position),
    state: () => 'ready',
    apply(batch) {
      if (batch.exchanges.some((row) => row.exchange === 'ex_5')) {
        return Promise.reject(new Fault('store-unavailable', { outward: 'refused' }))
      }
      expect(batch.from).toBe(position)
      position = batch.next
      batches.push(batch)
      return Promise.resolve(position)
    },
  }
  const reader: LogReader = {
    checkpoint: () =>
      Promise.resolve({
        origin: 'o',
        size: 9,
        root: Buffer.alloc(32),
        note: { text: '', lines: [] },
        source: '',
      }),
    read: (from, to, size) =>
      Promise.resolve(
        Array.from({ length: Math.min(to, size) - from }, (_, at) => leafOf(from + at)),
      ),
  }
  const refused: number[] = []
  const projector = createProjector({
    reader,
    store: store as Store,
    nowMs: () => 0,
    onRefused: (index) => refused.push(index),
  })
  expect(await projector.catchUp()).toMatchObject({ lag: 0, position: 9 })
  expect(refused).toEqual([5])
  expect(batches.flatMap((batch) => batch.entries.map((row) => row.index))).toEqual([
    0, 1, 2, 3, 4, 5, 6, 7, 8,
  ])
  expect(batches.flatMap((batch) => batch.exchanges)).toHaveLength(8)
})

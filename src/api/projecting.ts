import type { Projector } from '#evidence/projector.ts'
import type { Store } from '#store/store.ts'
import { isFault } from '#words/faults.ts'
import type { Log } from './log-port.ts'

const graceMs = 15_000
const everyMs = 5_000

export type Projecting = {
  /** Somebody looks: bring the store up now, without making them wait. */
  wake(): void
  state(): Promise<{ readonly state: string; readonly lag: number; readonly position: number }>
  rebuild(): Promise<{ readonly position: number }>
  close(): void
}

/**
 * Keeps the store near the log. The store's process is heavy, so it is started only after a while
 * in which the log grew, or when somebody asks; a store that is down is tried again and again.
 */
export function createProjecting(input: {
  readonly projector: Projector
  readonly store: Store
  readonly size: () => number
  readonly log: Log
}): Projecting {
  const { projector, store, log } = input
  let seen = -1
  let closed = false
  let timer = setTimeout(tick, graceMs).unref()

  function tick(): void {
    if (closed) return
    timer = setTimeout(tick, everyMs).unref()
    if (input.size() !== seen) wake()
  }

  function wake(): void {
    if (closed) return
    projector.catchUp().then(
      ({ position }) => {
        seen = position
      },
      (error: unknown) => log.fault('projection-waits', error),
    )
  }

  return {
    wake,
    async state() {
      try {
        await projector.catchUp()
      } catch (error) {
        if (!isFault(error, 'store-unavailable')) throw error
      }
      const { lag, position } = projector.state()
      return { state: store.state(), lag, position }
    },
    async rebuild() {
      await store.wipe()
      // A pass that was under way ends with `store-unavailable`; the next begins at the beginning.
      const { position } = await projector.catchUp().catch((error: unknown) => {
        if (!isFault(error, 'store-unavailable')) throw error
        return projector.catchUp()
      })
      return { position }
    },
    close() {
      closed = true
      clearTimeout(timer)
      projector.close()
    },
  }
}

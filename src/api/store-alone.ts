import { createLogReader } from '#evidence/log-reader.ts'
import { createProjector } from '#evidence/projector.ts'
import { takeLock } from '#store/lock.ts'
import { createStore } from '#store/store.ts'
import type { World } from '#words/clock.ts'
import { privateDirectory } from './durable-file.ts'
import { homePaths } from './home.ts'

/** The store while control is down: takes its lock, so two never open one PGlite folder. */
export async function useStoreAlone(
  home: string,
  world: World,
  what: 'catch-up' | 'rebuild',
): Promise<{ readonly state: string; readonly lag: number; readonly position: number }> {
  const paths = homePaths(home)
  privateDirectory(paths.run)
  using _lock = takeLock(paths.controlLock)
  const nowMs = () => world.nowMs()
  const store = createStore({ dir: paths.store, nowMs })
  try {
    if (what === 'rebuild') await store.wipe()
    const projector = createProjector({ reader: createLogReader(paths.log), store, nowMs })
    const { lag, position } = await projector.catchUp()
    return { state: store.state(), lag, position }
  } finally {
    await store.close()
  }
}

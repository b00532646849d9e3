import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import type { StoreAnswer, StoreCall } from './protocol.ts'
import type { Batch } from './tables.ts'

/**
 * Projections behind one interface; PostgreSQL will stand behind the same one.
 *
 * Every method throws `store-unavailable` when the store is down: callers show "no projection"
 * and go on, since nothing depends on it. The next call tries to start it again.
 */
export type Store = {
  /** Index of the first entry that is not projected yet. */
  position(): Promise<number>
  /** Resolves with the new position; a batch that starts elsewhere changes nothing. */
  apply(batch: Batch): Promise<number>
  /** Runs a compiled, read-only query; at most `limits.listRowsMax` rows. */
  select<Row>(query: CompiledSelect<Row>): Promise<Row[]>
  /** `resting` is not a defect: it starts when it is asked. */
  state(): 'resting' | 'starting' | 'ready' | 'failed'
  /** Stops it and removes all projections; the next call starts from nothing. */
  wipe(): Promise<void>
  close(): Promise<void>
}

/** A query as text with parameters. `Row` is its type of row and stands only in the type. */
export type CompiledSelect<Row> = {
  readonly name: string
  readonly sql: string
  readonly parameters: readonly unknown[]
  readonly row?: Row
}

type Waiting = { resolve(value: unknown): void; reject(error: Fault): void }
type Running = { child: ChildProcess; waiting: Map<number, Waiting>; ready: Promise<void> }

const startMsMax = 60_000
const callMsMax = 60_000
const restartPauseMs = 5_000
const waitingMax = 256

/** The store in a process of its own, started at the first call and stopped when long unused. */
export function createStore(input: {
  readonly dir: string
  readonly nowMs: () => number
  /** Unused for this long, it is stopped to give its memory back; 0: never. */
  readonly idleMs?: number
  readonly onEvent?: (event: string, fields: { pid?: number; code?: string; ms?: number }) => void
}): Store {
  const idleMs = input.idleMs ?? 600_000
  let running: Running | null = null
  let state: ReturnType<Store['state']> = 'resting'
  let failedAt = Number.NEGATIVE_INFINITY
  let nextId = 1
  let idle: NodeJS.Timeout | undefined
  let closed = false

  function start(): Running {
    const startedAt = performance.now()
    const script = join(
      import.meta.dirname,
      import.meta.filename.endsWith('.ts') ? 'child.ts' : 'child.js',
    )
    const child = fork(script, [input.dir], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: { PATH: process.env['PATH'], TZ: 'UTC' },
      execArgv: [],
    })
    const waiting = new Map<number, Waiting>()
    state = 'starting'
    const ready = new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => child.kill('SIGKILL'), startMsMax)
      child.on('message', (answer: StoreAnswer) => {
        if (answer.id === 0) {
          clearTimeout(late)
          state = 'ready'
          input.onEvent?.('store-ready', {
            ...(child.pid === undefined ? {} : { pid: child.pid }),
            ms: Math.round(performance.now() - startedAt),
          })
          resolve()
          return
        }
        const call = waiting.get(answer.id)
        waiting.delete(answer.id)
        if (answer.ok) call?.resolve(answer.value)
        else call?.reject(unavailable(answer.message))
      })
      const ended = (why: string): void => {
        clearTimeout(late)
        const fault = unavailable(why)
        for (const call of waiting.values()) call.reject(fault)
        waiting.clear()
        reject(fault)
        if (running?.child !== child) return
        running = null
        state = 'failed'
        failedAt = performance.now()
        input.onEvent?.('store-ended', { code: why })
      }
      child.once('error', (error) => ended(error.message))
      child.once('exit', (code, signal) => {
        ended(code === 75 ? 'another process has the store open' : `it ended (${signal ?? code})`)
      })
    })
    // Whoever calls waits for `ready` too; without a caller a failure is told by `state`.
    ready.catch(() => undefined)
    return { child, waiting, ready }
  }

  async function call(what: DistributiveOmit<StoreCall, 'id'>): Promise<unknown> {
    if (closed) throw unavailable('it is closed')
    if (running === null) {
      if (performance.now() - failedAt < restartPauseMs) throw unavailable('it failed just now')
      running = start()
    }
    const { child, waiting, ready } = running
    await ready
    if (waiting.size >= waitingMax) throw unavailable('too many calls wait for it')
    rest()
    const id = nextId
    nextId += 1
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        waiting.delete(id)
        reject(unavailable('it did not answer in time'))
      }, callMsMax)
      const settle = (): void => {
        clearTimeout(late)
        rest()
      }
      waiting.set(id, {
        resolve(value) {
          settle()
          resolve(value)
        },
        reject(fault) {
          settle()
          reject(fault)
        },
      })
      child.send({ ...what, id }, (error) => {
        if (error === null) return
        waiting.get(id)?.reject(unavailable(error.message))
        waiting.delete(id)
      })
    })
  }

  function rest(): void {
    clearTimeout(idle)
    if (idleMs === 0) return
    idle = setTimeout(() => {
      if (running === null || running.waiting.size > 0) return
      void stop()
    }, idleMs).unref()
  }

  async function stop(): Promise<void> {
    clearTimeout(idle)
    const was = running
    running = null
    state = 'resting'
    if (was === null || was.child.exitCode !== null || was.child.signalCode !== null) return
    const ended = new Promise<void>((resolve) => was.child.once('exit', () => resolve()))
    const late = setTimeout(() => was.child.kill('SIGKILL'), 5_000)
    if (was.child.connected) was.child.disconnect()
    await ended
    clearTimeout(late)
  }

  return {
    position: async () => Number(await call({ do: 'position' })),
    apply: async (batch) => Number(await call({ do: 'apply', batch, atMs: input.nowMs() })),
    async select<Row>(query: CompiledSelect<Row>) {
      const { name, sql, parameters } = query
      const rowsMax = limits.listRowsMax
      return (await call({ do: 'select', name, sql, parameters, rowsMax })) as Row[]
    },
    state: () => state,
    async wipe() {
      await stop()
      rmSync(join(input.dir, 'pglite'), { recursive: true, force: true })
      failedAt = Number.NEGATIVE_INFINITY
    },
    async close() {
      closed = true
      await stop()
    },
  }
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown
  ? Omit<Union, Key>
  : never

function unavailable(why: string): Fault {
  return new Fault('store-unavailable', {
    outward: 'The store of projections is not there.',
    inward: `The store of projections is not there: ${why}.`,
  })
}

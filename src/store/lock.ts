import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Fault } from '#words/faults.ts'

/**
 * One process at a time. Throws `already-running`, naming the other, when the holder of the lock
 * still lives; a lock that its holder left behind (kill -9, power loss) is taken over.
 *
 * A process is told by its id *and* its start time, because ids are used again. Where there is no
 * `/proc`, the id alone has to do: the lock then errs on the side of "still running".
 */
export function takeLock(path: string): Disposable {
  const mine = `${process.pid} ${startTime(process.pid)}\n`
  for (let attempt = 0; attempt < 8; attempt += 1) {
    try {
      writeFileSync(path, mine, { flag: 'wx', mode: 0o600 })
      return { [Symbol.dispose]: () => release(path, mine) }
    } catch (error) {
      if (code(error) !== 'EEXIST') throw error
    }
    const holder = readHolder(path)
    if (holder === null) continue
    if (holder.alive) {
      throw new Fault('already-running', {
        outward: `Another process of Postern (pid ${holder.pid}) holds ${path}.`,
      })
    }
    // Renamed, not removed: of two that find the same dead lock, one rename fails.
    const grave = `${path}.${process.pid}.dead`
    try {
      renameSync(path, grave)
      rmSync(grave, { force: true })
    } catch (error) {
      if (code(error) !== 'ENOENT') throw error
    }
  }
  throw new Fault('already-running', { outward: `Could not take the lock ${path}.` })
}

/** Who holds the lock, when somebody alive does. */
export function lockHolder(path: string): number | null {
  const holder = readHolder(path)
  return holder?.alive === true ? holder.pid : null
}

function readHolder(path: string): { readonly pid: number; readonly alive: boolean } | null {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (code(error) === 'ENOENT') return null
    throw error
  }
  const [pidText = '', started = ''] = text.trim().split(' ')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0) return { pid: 0, alive: false }
  if (!isAlive(pid)) return { pid, alive: false }
  const startedNow = startTime(pid)
  return { pid, alive: startedNow === '-' || startedNow === started }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return code(error) === 'EPERM'
  }
}

/** Field 22 of `/proc/PID/stat` (proc(5)); the command in field 2 may hold spaces and brackets. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-'
  } catch (error) {
    if (code(error) === 'ENOENT' || code(error) === 'ESRCH') return '-'
    throw error
  }
}

function release(path: string, mine: string): void {
  try {
    if (readFileSync(path, 'utf8') === mine) rmSync(path, { force: true })
  } catch (error) {
    if (code(error) !== 'ENOENT') throw error
  }
}

function code(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

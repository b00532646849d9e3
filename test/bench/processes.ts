import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import {
  closeSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

export type Child = {
  readonly process: ChildProcess
  readonly port: number
} & Disposable

/** Starts a bench program and waits until it says that it is ready. */
export function startChild(file: string, args: readonly string[] = []): Promise<Child> {
  const child = fork(join(import.meta.dirname, file), [...args], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)))
    child.once('message', (message: { port?: number }) => {
      child.removeAllListeners('exit')
      resolve({
        process: child,
        port: message.port ?? 0,
        [Symbol.dispose]: () => void child.kill('SIGKILL'),
      })
    })
  })
}

/** Seconds of processor time that a process has used, all threads together (proc(5)). */
export function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Watches the resident memory of a process. */
export function watchMemory(pid: number): { stop(): number } {
  let mostMiB = 0
  const look = (): void => {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    mostMiB = Math.max(mostMiB, Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
  }
  const timer = setInterval(look, 50)
  return {
    stop() {
      clearInterval(timer)
      look()
      return mostMiB
    },
  }
}

/** What one `fdatasync` after an append of `bytes` costs in this folder, milliseconds. */
export function syncCosts(folder: string, bytes: number, times: number): readonly number[] {
  const dir = mkdtempSync(join(folder, 'sync-'))
  const file = openSync(join(dir, 'spool'), 'a')
  const block = Buffer.alloc(bytes, 1)
  const costs: number[] = []
  for (let at = 0; at < times; at++) {
    writeSync(file, block)
    const startMs = performance.now()
    fdatasyncSync(file)
    costs.push(performance.now() - startMs)
  }
  closeSync(file)
  rmSync(dir, { recursive: true })
  return costs
}

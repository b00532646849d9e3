import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing } from '#blob/durable.ts'
import { Fault } from '#words/faults.ts'

/**
 * Where a log is read from: its folder, or the address at which the folder is served. `read` gives
 * null for what is not there, and throws `log-unreachable` when it cannot tell.
 */
export type LogSource = {
  readonly name: string
  read(path: string): Promise<Buffer | null>
}

export function folderSource(dir: string): LogSource {
  return {
    name: dir,
    async read(path) {
      try {
        return await readFile(join(dir, path))
      } catch (error) {
        if (isMissing(error)) return null
        throw new Fault('log-unreachable', {
          outward: `The log file ${path} cannot be read.`,
          cause: error,
        })
      }
    },
  }
}

const answerBytesMax = 32 * 1024 * 1024
const answerMsMax = 30_000

export function urlSource(base: string, headers: Readonly<Record<string, string>> = {}): LogSource {
  const prefix = base.replace(/\/+$/, '')
  return {
    name: prefix,
    async read(path) {
      const answer = await fetch(`${prefix}/${path}`, {
        headers,
        redirect: 'error',
        signal: AbortSignal.timeout(answerMsMax),
      }).catch((cause: unknown) => {
        throw new Fault('log-unreachable', { outward: `No answer from ${prefix}.`, cause })
      })
      if (answer.status === 404) return null
      if (!answer.ok) {
        throw new Fault('log-unreachable', {
          outward: `${prefix} answered ${answer.status} for ${path}.`,
        })
      }
      const bytes = Buffer.from(await answer.arrayBuffer())
      if (bytes.length > answerBytesMax) {
        throw new Fault('log-unreachable', { outward: `The answer for ${path} is too large.` })
      }
      return bytes
    },
  }
}

export function logSource(place: string, headers?: Readonly<Record<string, string>>): LogSource {
  return /^https?:\/\//.test(place) ? urlSource(place, headers) : folderSource(place)
}

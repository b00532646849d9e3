import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '#words/faults.ts'

/**
 * A small file that is either as it was or as it is to be, whenever the power goes: written
 * beside, synced, renamed, and the folder synced.
 */
export function writeSynced(path: string, text: string): void {
  const beside = `${path}.new`
  const file = openSync(beside, 'w', 0o600)
  try {
    writeSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(beside, path)
  const folder = openSync(dirname(path), 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** Null when there is no such file; any other failure to read is thrown. */
export function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/** The highest bundle ever taken, kept apart from the bundle so that restoring an old one shows. */
export function openSeenFile(path: string): {
  seen(): { counter: number; digest: string; issuedAtMs: number } | null
  remember(bundle: {
    readonly manifest: { readonly counter: number; readonly issuedAtMs: number }
    readonly digest: string
  }): void
} {
  const text = readIfThere(path)
  let seen: { counter: number; digest: string; issuedAtMs: number } | null = null
  if (text !== null) {
    const match = /^(\d{1,15}) ([0-9a-f]{64}) (\d{1,16})\n$/.exec(text)
    if (match === null) {
      throw new Fault('bundle-rollback', {
        outward: `${path} is damaged; nothing can be compared.`,
      })
    }
    seen = { counter: Number(match[1]), digest: match[2] ?? '', issuedAtMs: Number(match[3]) }
  }
  return {
    seen: () => seen,
    remember({ manifest, digest }) {
      if (seen !== null && manifest.counter <= seen.counter) return
      const { counter, issuedAtMs } = manifest
      writeSynced(path, `${counter} ${digest} ${issuedAtMs}\n`)
      seen = { counter, digest, issuedAtMs }
    },
  }
}

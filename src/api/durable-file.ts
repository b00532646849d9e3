import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Replaces a file so that a reader, and a machine that lost its power, sees the old bytes or the
 * new ones and nothing between. Throws what the file system throws; the old file is then intact.
 */
export function writeDurably(path: string, bytes: string | Buffer, mode = 0o600): void {
  const temporary = `${path}.${process.pid}.new`
  const file = openSync(temporary, 'w', mode)
  try {
    const whole = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    for (let at = 0; at < whole.length;) at += writeSync(file, whole, at)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}

/** A rename is durable only when its directory is. */
export function syncDirectory(path: string): void {
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

export function privateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
}

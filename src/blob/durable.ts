import { open, mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { randomBytes } from 'node:crypto'

/**
 * Files that are either there whole or not there at all, also after a power cut.
 *
 * A crash before the rename leaves a `.tmp-…` file that nothing reads; a crash after it leaves the
 * new file, because the folder is synced before we return (fsync(2): "calling fsync() does not
 * necessarily ensure that the entry in the directory … has also reached disk").
 */
export async function writeDurably(path: string, bytes: Uint8Array | string): Promise<void> {
  await makeFolder(dirname(path))
  await writeAndRename(path, bytes)
  await syncFolder(dirname(path))
}

async function writeAndRename(path: string, bytes: Uint8Array | string): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.tmp-${basename(path)}-${randomBytes(6).toString('hex')}`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Makes an entry of a folder (a rename, a removal, a new file) durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a folder with its parents and makes each new name durable. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let at = folder; at.length >= first.length; at = dirname(at)) await syncFolder(dirname(at))
}

export function isMissing(error: unknown): boolean {
  return errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR'
}

export function errorCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : ''
}

/** Many files at once: each whole or absent, every folder synced once at the end. */
export async function writeManyDurably(
  files: readonly (readonly [path: string, bytes: Uint8Array])[],
): Promise<void> {
  const folders = new Set(files.map(([path]) => dirname(path)))
  for (const folder of folders) await makeFolder(folder)
  for (let at = 0; at < files.length; at += writesAtOnce) {
    await Promise.all(
      files.slice(at, at + writesAtOnce).map(([path, bytes]) => writeAndRename(path, bytes)),
    )
  }
  await Promise.all([...folders].map(syncFolder))
}

const writesAtOnce = 16

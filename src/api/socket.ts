import { once } from 'node:events'
import { chmodSync, lstatSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import type { Server } from 'node:net'
import { dirname } from 'node:path'
import { Fault } from '#words/faults.ts'
import { privateDirectory } from './durable-file.ts'

/**
 * Listens on a Unix socket that only the owner can open.
 *
 * Throws `already-running` when somebody answers there, and `not-permitted` when the folder could
 * be entered by others: between `bind` and `chmod` the folder is what keeps them out.
 */
export async function listenOwnerOnly(server: Server, path: string): Promise<void> {
  const folder = dirname(path)
  privateDirectory(folder)
  chmodSync(folder, 0o700)
  const stat = lstatSync(folder)
  if (!stat.isDirectory() || (stat.mode & 0o077) !== 0) {
    throw new Fault('not-permitted', { outward: `${folder} must be a folder with mode 700.` })
  }
  // sun_path has 108 bytes on Linux and 104 on macOS; longer ones are cut off without a word.
  if (Buffer.byteLength(path) > 103) {
    throw new Fault('config-invalid', {
      outward: `The socket path ${path} is longer than 103 bytes; choose a shorter --home.`,
    })
  }
  if (await somebodyAnswers(path)) {
    throw new Fault('already-running', { outward: `Another process listens on ${path}.` })
  }
  rmSync(path, { force: true })
  server.listen(path)
  await once(server, 'listening')
  chmodSync(path, 0o600)
}

export async function somebodyAnswers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch {
    // ENOENT, ECONNREFUSED: nobody is there.
    return false
  } finally {
    socket.destroy()
  }
}

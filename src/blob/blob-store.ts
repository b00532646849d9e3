import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto'
import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Fault } from '#words/faults.ts'
import { isMissing, syncFolder, writeDurably } from './durable.ts'

/**
 * What cannot be rebuilt from the log, each piece a file of its own: encrypted with AES-256-GCM
 * under the store's key, durable before `put` resolves.
 *
 * Fails closed: a piece that was changed, or moved to another name, does not open
 * (`store-unavailable`); one that is not there is null.
 */
export type BlobStore = {
  /** Keeps bytes under the SHA-256 of themselves and returns it (hex). */
  putContent(bytes: Uint8Array): Promise<string>
  getContent(digest: string): Promise<Buffer | null>
  put(name: string, bytes: Uint8Array): Promise<void>
  get(name: string): Promise<Buffer | null>
  /** Gone for good, also after a power cut. */
  remove(name: string): Promise<void>
  list(): Promise<string[]>
}

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}$/
const ivBytes = 12
const tagBytes = 16

export function openBlobStore(input: { dir: string; key: Buffer }): BlobStore {
  const { dir, key } = input
  const pathOf = (name: string): string => {
    if (!namePattern.test(name)) {
      throw new Fault('store-unavailable', { outward: `Not a name of a blob: ${name}` })
    }
    return join(dir, name)
  }

  async function put(name: string, bytes: Uint8Array): Promise<void> {
    const iv = randomBytes(ivBytes)
    const cipher = createCipheriv('aes-256-gcm', key, iv)
    // The name is part of what is authenticated, so that two files cannot be exchanged.
    cipher.setAAD(Buffer.from(`postern-blob/1\n${name}`))
    await writeDurably(
      pathOf(name),
      Buffer.concat([iv, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]),
    )
  }

  async function get(name: string): Promise<Buffer | null> {
    const sealed = await readFile(pathOf(name)).catch((error: unknown) => {
      if (isMissing(error)) return null
      throw error
    })
    if (sealed === null) return null
    try {
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), {
        authTagLength: tagBytes,
      })
      decipher.setAAD(Buffer.from(`postern-blob/1\n${name}`))
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
      const body = sealed.subarray(ivBytes, sealed.length - tagBytes)
      return Buffer.concat([decipher.update(body), decipher.final()])
    } catch (cause) {
      throw new Fault('store-unavailable', {
        outward: `The blob ${name} does not open: it was changed, or the key is another one.`,
        cause,
      })
    }
  }

  return {
    put,
    get,
    async putContent(bytes) {
      const digest = hash('sha256', bytes, 'hex')
      await put(`sha256-${digest}`, bytes)
      return digest
    },
    getContent: (digest) => get(`sha256-${digest}`),
    async remove(name) {
      await rm(pathOf(name), { force: true })
      await syncFolder(dir).catch((error: unknown) => {
        if (!isMissing(error)) throw error
      })
    },
    async list() {
      const names = await readdir(dir).catch((error: unknown) => {
        if (isMissing(error)) return []
        throw error
      })
      return names.filter((name) => namePattern.test(name)).sort()
    },
  }
}

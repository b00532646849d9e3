import { randomBytes } from 'node:crypto'
import { Fault } from '#words/faults.ts'
import { openBlobStore } from './blob-store.ts'

/**
 * One key per subject and period, so that a person's openings can be made unreadable by destroying
 * a few bytes (crypto-erasure) while the tree above them stays as it is.
 *
 * A key that was erased is never made again: later entries of the same subject in the same period
 * get a key of the next generation.
 */
export type SubjectKey = { readonly id: string; readonly key: Buffer }

export type SubjectKeys = {
  /** The current key for a pseudonym (which stands for subject and period), made when missing. */
  keyFor(pseudonym: string, subject: string | null): Promise<SubjectKey>
  /** `erased` when it was destroyed; throws `store-unavailable` when it should be there. */
  find(id: string): Promise<Buffer | 'erased'>
  /** Destroys all keys of a subject, of all periods. Returns their ids. */
  erase(subject: string): Promise<string[]>
}

const keysCachedMax = 8_192

export function openSubjectKeys(input: { dir: string; key: Buffer }): SubjectKeys {
  const store = openBlobStore(input)
  const current = new Map<string, SubjectKey>()
  /** One making at a time per pseudonym: two would lose one's openings. */
  const making = new Map<string, Promise<SubjectKey>>()

  async function make(pseudonym: string, subject: string | null): Promise<SubjectKey> {
    for (let generation = 0; ; generation++) {
      const id = `${pseudonym}.${generation}`
      if (await store.get(`${id}.erased`)) continue
      const kept = await store.get(`${id}.key`)
      const key = kept ? keyIn(kept) : randomBytes(32)
      if (!kept) {
        const record = JSON.stringify({ v: 1, subject, key: key.toString('base64') })
        await store.put(`${id}.key`, Buffer.from(record))
      }
      if (current.size >= keysCachedMax) current.clear()
      current.set(pseudonym, { id, key })
      return { id, key }
    }
  }

  return {
    async keyFor(pseudonym, subject) {
      const known = current.get(pseudonym)
      if (known) return known
      const under = making.get(pseudonym)
      if (under) return await under
      const made = make(pseudonym, subject).finally(() => making.delete(pseudonym))
      making.set(pseudonym, made)
      return await made
    },
    async find(id) {
      const kept = await store.get(`${id}.key`)
      if (kept) return keyIn(kept)
      if (await store.get(`${id}.erased`)) return 'erased'
      throw new Fault('store-unavailable', { outward: `The key ${id} of an opening is missing.` })
    },
    async erase(subject) {
      const erased: string[] = []
      for (const name of await store.list()) {
        if (!name.endsWith('.key')) continue
        const record = await store.get(name)
        if (!record || subjectIn(record) !== subject) continue
        const id = name.slice(0, -'.key'.length)
        // The tombstone first: a crash between the two erases again, and never makes the key anew.
        await store.put(`${id}.erased`, Buffer.from('{"v":1}'))
        await store.remove(name)
        current.delete(id.slice(0, id.lastIndexOf('.')))
        erased.push(id)
      }
      return erased
    },
  }
}

function keyIn(record: Buffer): Buffer {
  return Buffer.from((JSON.parse(record.toString()) as { key: string }).key, 'base64')
}

function subjectIn(record: Buffer): string | null {
  return (JSON.parse(record.toString()) as { subject: string | null }).subject
}

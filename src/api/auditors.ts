import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import { base32 } from '#words/ids.ts'
import { writeDurably } from './durable-file.ts'

type Auditor = {
  readonly id: string
  readonly name: string
  readonly sha256: string
  readonly expiresMs: number
}

export type Auditors = {
  /** The token is shown once; what is kept is its hash. */
  issue(input: { readonly name: string; readonly expiresMs: number }): Promise<{
    readonly id: string
    readonly token: string
  }>
  mayRead(token: string): boolean
}

/** Who may fetch the log over HTTP. Each token is an entry of the log before it works. */
export function openAuditors(
  file: string,
  world: World,
  append: (draft: EntryDraft) => Promise<unknown>,
): Auditors {
  const held: Auditor[] = existsSync(file)
    ? (JSON.parse(readFileSync(file, 'utf8')) as Auditor[])
    : []
  return {
    async issue({ name, expiresMs }) {
      const token = `psa_${base32(world.randomBytes(32))}`
      const id = `aud_${base32(world.randomBytes(10))}`
      const nowMs = world.nowMs()
      await append({
        kind: 'key',
        atMs: nowMs,
        subject: null,
        public: { event: 'auditor-token-issued', id, sha256: sha256(token), expiresMs },
        private: { name },
      })
      const kept = held.filter((one) => one.expiresMs > nowMs).slice(-999)
      held.splice(0, held.length, ...kept, { id, name, sha256: sha256(token), expiresMs })
      writeDurably(file, JSON.stringify(held))
      return { id, token }
    },
    mayRead(token) {
      const digest = sha256(token)
      return held.some((one) => one.sha256 === digest && one.expiresMs > world.nowMs())
    },
  }
}

/** 256 random bits: there is nothing to guess, and comparing hashes tells nothing of the token. */
function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

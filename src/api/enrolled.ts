import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import type { Enrolment } from './contract/gate-channel.ts'
import { writeDurably } from './durable-file.ts'

const nodesMax = 100_000

export type Enrolled = {
  find(node: NodeId): KeyObject | null
  /** Logged before it counts. The same key again changes nothing. */
  enrol(enrolment: Enrolment, append: (draft: EntryDraft) => Promise<unknown>): Promise<void>
}

/**
 * Gate nodes and their spool keys. Throws `not-permitted` for another key under a name that is
 * taken: a thief of the name would otherwise go on in its history.
 */
export function openEnrolled(file: string, world: World): Enrolled {
  const known = new Map<string, Enrolment>()
  const keys = new Map<string, KeyObject>()
  if (existsSync(file)) {
    for (const one of JSON.parse(readFileSync(file, 'utf8')) as Enrolment[]) remember(one)
  }

  function remember(one: Enrolment): void {
    const x = Buffer.from(one.publicKey, 'base64').toString('base64url')
    keys.set(one.node, createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } }))
    known.set(one.node, one)
  }

  return {
    find: (node) => keys.get(node) ?? null,
    async enrol(enrolment, append) {
      const before = known.get(enrolment.node)
      if (before !== undefined && before.publicKey === enrolment.publicKey) return
      if (before !== undefined || known.size >= nodesMax) {
        throw new Fault('not-permitted', {
          outward: `The node ${enrolment.node} is enrolled with another key.`,
        })
      }
      await append({
        kind: 'node',
        atMs: world.nowMs(),
        subject: null,
        public: { event: 'enrolled', ...enrolment },
        private: {},
      })
      remember(enrolment)
      writeDurably(file, JSON.stringify([...known.values()]))
    },
  }
}

import { limits } from '#words/limits.ts'
import { commonPrefix } from '#wire/same-bytes.ts'
import type { Visited } from '#wire/visit.ts'
import type { Note } from './note-sink.ts'

export type Body = Visited<readonly Note[]>

type Retained = {
  readonly body: Body
  readonly key: string
  readonly conversation: string
  /** A place inside the first thing said: conversations that differ, differ before it. */
  readonly mark: number
  readonly bytes: number
}

const perKeyMax = 64
const indexBytesPerUnit = 160

/**
 * The last bodies of each conversation, so that a turn costs what is new in it.
 *
 * Bounded in bytes and in number; what is forgotten is walked again from its start. Bodies of
 * different credentials never meet: the key holds the credential.
 */
export class RetainedBodies {
  readonly #byKey = new Map<string, Retained[]>()
  /** All of them, least recently used first. */
  readonly #all = new Set<Retained>()
  #bytes = 0
  readonly #bytesMax: number
  readonly #countMax: number

  constructor(
    bytesMax: number = limits.retainedBodiesBytesMax,
    countMax: number = limits.retainedConversationsMax,
  ) {
    this.#bytesMax = bytesMax
    this.#countMax = countMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * The body with the longest beginning in common. `sameConversation` when that reaches into the
   * first thing said; otherwise it only lends its system prompt and tools.
   */
  find(key: string, body: Buffer): { prior: Retained; sameConversation: boolean } | null {
    const list = this.#byKey.get(key)
    if (list === undefined) return null
    let best: Retained | null = null
    let longest = -1
    for (const candidate of list) {
      const from = Math.max(0, candidate.mark - 32)
      if (body.length < candidate.mark) continue
      if (body.compare(candidate.body.body, from, candidate.mark, from, candidate.mark) !== 0) {
        continue
      }
      const shared = commonPrefix(candidate.body.body, body)
      if (shared >= candidate.mark && shared > longest) {
        longest = shared
        best = candidate
      }
    }
    if (best !== null) return { prior: best, sameConversation: true }
    const last = list.at(-1)
    return last === undefined ? null : { prior: last, sameConversation: false }
  }

  keep(key: string, body: Body, conversation: string, instead: Retained | null): void {
    if (body.broken !== null || body.ambiguous !== null) return
    let units = 0
    for (const member of body.members) units += member.units.length + 1
    // Small buffers hold on to the pool that they were cut from.
    const bytes = Math.max(body.body.length, 8192) + units * indexBytesPerUnit
    if (bytes > this.#bytesMax / 4) return
    if (instead !== null) this.#forget(instead)
    const kept: Retained = { body, key, conversation, mark: markOf(body), bytes }
    const list = this.#byKey.get(key)
    if (list === undefined) this.#byKey.set(key, [kept])
    else {
      list.push(kept)
      if (list.length > perKeyMax) this.#forget(list[0] as Retained)
    }
    this.#all.add(kept)
    this.#bytes += bytes
    while (this.#bytes > this.#bytesMax || this.#all.size > this.#countMax) {
      this.#forget(this.#all.values().next().value as Retained)
    }
  }

  #forget(retained: Retained): void {
    if (!this.#all.delete(retained)) return
    this.#bytes -= retained.bytes
    const list = this.#byKey.get(retained.key) as Retained[]
    list.splice(list.indexOf(retained), 1)
    if (list.length === 0) this.#byKey.delete(retained.key)
  }
}

function markOf(body: Body): number {
  const said = body.byName.get('messages') ?? body.byName.get('input')
  const unit = said?.units[0]
  if (said === undefined || unit === undefined) return Math.min(64, body.body.length)
  return (said.starts[0] as number) + (unit.length >>> 1)
}

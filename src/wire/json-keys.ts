import { textFlag } from './json-classes.ts'
import { decodeString } from './json-text.ts'
import { codeOf, hashBytes } from './key-codes.ts'

/** Objects with more keys than this are checked with a set instead of a look at each pair. */
const linearMax = 24

/**
 * The keys of every object that is open, so that a key which stands twice is seen.
 *
 * Parsers disagree on duplicates (first wins, last wins, refused), so a sender could hide text from
 * one of them. The attacker may also send a million keys: beyond `linearMax` it is a set, never
 * quadratic. Keys are compared as text, so `"a"` and `"\u0061"` are the same.
 */
export class KeyStack {
  #hashes = new Int32Array(256)
  #starts = new Int32Array(256)
  #ends = new Int32Array(256)
  #top = 0
  readonly #sets = new Map<number, Set<string>>()
  codeOfLast = 0

  clear(): void {
    this.#top = 0
    this.#sets.clear()
  }

  /** Begins an object; the result names it until `close`. */
  open(): number {
    return this.#top
  }

  close(base: number): void {
    if (this.#top - base > linearMax) this.#sets.delete(base)
    this.#top = base
  }

  /** Adds a key; true when this object has it already. */
  add(buf: Buffer, base: number, start: number, end: number, flags: number): boolean {
    let text: Buffer = buf
    let from = start
    let to = end
    if ((flags & textFlag.escape) !== 0) {
      text = Buffer.from(decodeString(buf, start, end))
      from = 0
      to = text.length
    }
    const hash = hashBytes(text, from, to)
    this.codeOfLast = codeOf(text, from, to, hash)
    const count = this.#top - base
    if (this.#top === this.#hashes.length) this.#grow()
    this.#hashes[this.#top] = hash
    this.#starts[this.#top] = start
    this.#ends[this.#top] = end
    this.#top++
    if (count >= linearMax) return this.#addToSet(buf, base, count)
    const hashes = this.#hashes
    for (let i = base; i < base + count; i++) {
      if (hashes[i] === hash && this.#same(buf, i, this.#top - 1)) return true
    }
    return false
  }

  #same(buf: Buffer, one: number, other: number): boolean {
    return this.#textOf(buf, one) === this.#textOf(buf, other)
  }

  #textOf(buf: Buffer, index: number): string {
    return decodeString(buf, this.#starts[index] as number, this.#ends[index] as number)
  }

  #addToSet(buf: Buffer, base: number, count: number): boolean {
    let seen = this.#sets.get(base)
    if (seen === undefined) {
      seen = new Set()
      for (let i = base; i < base + count; i++) seen.add(this.#textOf(buf, i))
      this.#sets.set(base, seen)
    }
    const before = seen.size
    seen.add(this.#textOf(buf, this.#top - 1))
    return seen.size === before
  }

  #grow(): void {
    const larger = (old: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> => {
      const grown = new Int32Array(old.length * 2)
      grown.set(old)
      return grown
    }
    this.#hashes = larger(this.#hashes)
    this.#starts = larger(this.#starts)
    this.#ends = larger(this.#ends)
  }
}

/**
 * Why a pattern of the catalog must not meet a stranger's text; null when it may.
 *
 * V8 backtracks: a repeated group that holds a repetition can take time that doubles with each
 * letter (CWE-1333). Refused are those, back-references, look-arounds and counts above 256. What
 * is left is polynomial at worst, of low degree, over at most 1 kB.
 */
export function patternDanger(source: string): string | null {
  if (source.length > patternLengthMax) return `is longer than ${patternLengthMax} characters`
  try {
    void new RegExp(source, 'i')
  } catch (cause) {
    return `is no regular expression (${cause instanceof Error ? cause.message : String(cause)})`
  }
  return new Reader(source).danger()
}

const patternLengthMax = 512
const repetitionsMax = 8
const countMax = 256

type Group = { repeats: boolean; alternates: boolean }

class Reader {
  readonly #source: string
  #at = 0
  #unbounded = 0

  constructor(source: string) {
    this.#source = source
  }

  danger(): string | null {
    const groups: Group[] = [{ repeats: false, alternates: false }]
    while (this.#at < this.#source.length) {
      const letter = this.#source[this.#at] as string
      if (letter === '(') {
        const opening = this.#opening()
        if (opening === null) return 'looks ahead or behind'
        groups.push({ repeats: false, alternates: false })
        this.#at += opening
        continue
      }
      let closed: Group | undefined
      if (letter === '\\') {
        if (/[1-9k]/.test(this.#source[this.#at + 1] ?? '')) return 'refers back to a group'
        this.#at += 2
      } else if (letter === '[') this.#skipClass()
      else {
        if (letter === ')') closed = groups.pop()
        if (letter === '|') (groups.at(-1) as Group).alternates = true
        this.#at += 1
      }
      const count = this.#quantifier()
      const outer = groups.at(-1) as Group
      if (closed?.repeats === true) outer.repeats = true
      if (count === 0) continue
      if (count > countMax) return `counts further than ${countMax}`
      if (closed?.repeats === true || (closed?.alternates === true && count > 1)) {
        return 'repeats a group that itself repeats or branches'
      }
      if (count > 1) outer.repeats = true
      if (this.#unbounded > repetitionsMax) return `has more than ${repetitionsMax} repetitions`
    }
    return null
  }

  /** Length of a group's opening; null for look-arounds. */
  #opening(): number | null {
    const rest = this.#source.slice(this.#at)
    if (/^\(\?(?:=|!|<=|<!)/.test(rest)) return null
    return /^\((?:\?:|\?<[^>]*>)?/.exec(rest)?.[0].length ?? 1
  }

  #skipClass(): void {
    this.#at += 1
    while (this.#at < this.#source.length && this.#source[this.#at] !== ']') {
      this.#at += this.#source[this.#at] === '\\' ? 2 : 1
    }
    this.#at += 1
  }

  /** How often the piece before may come: 0 when there is no quantifier, `?` counts as 1. */
  #quantifier(): number {
    const found = /^(?:[*+?]|\{(\d+)(?:(,)(\d*))?\})\??/.exec(this.#source.slice(this.#at))
    if (found === null) return 0
    this.#at += found[0].length
    if (found[0].startsWith('?')) return 1
    if (found[1] === undefined || (found[2] !== undefined && found[3] === '')) {
      this.#unbounded += 1
      return countMax
    }
    return Number(found[3] ?? found[1])
  }
}

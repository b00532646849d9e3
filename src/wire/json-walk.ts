import { invariant } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { escapeClass, stringClass, suspicion, textFlag } from './json-classes.ts'
import { KeyStack } from './json-keys.ts'
import { latin1 } from './json-text.ts'
import { keyCode } from './key-codes.ts'
import { hex4, utf8At } from './utf8.ts'

/**
 * The walk stops here: what follows is not JSON, or deeper or more than we are willing to read.
 */
export class JsonBroken extends Error {
  override readonly name = 'JsonBroken'
  readonly at: number

  constructor(what: string, at: number) {
    super(`${what} at byte ${at}`)
    this.at = at
  }
}

/** Keys this long may hide something; shorter plain ones are names. */
export const longKey = 24

/**
 * Reads one JSON document byte by byte (RFC 8259), strictly, without making values of it.
 *
 * Fails by throwing `JsonBroken` where the text is not JSON. What is JSON but may be read
 * differently by two parsers is noted in `ambiguous` and walked on: a sender could otherwise show
 * us one request and the provider another (duplicate keys, lone surrogates, numbers beyond range).
 *
 * Subclasses get every string by `text` (short plain keys excepted) and hear of every object.
 */
export abstract class JsonWalk {
  protected buf: Buffer = Buffer.alloc(0)
  protected pos = 0
  protected depth = 0
  /** First thing that two parsers could read differently. */
  ambiguous: string | null = null
  /** Flags of the string that was scanned last. */
  protected flags = 0
  readonly #keys = new KeyStack()

  protected begin(buf: Buffer): void {
    this.buf = buf
    this.pos = 0
    this.depth = 0
    this.ambiguous = null
    this.#keys.clear()
    if (buf[0] === 0xef && buf[1] === 0xbb && buf[2] === 0xbf) {
      this.doubt('a byte order mark', 0)
      this.pos = 3
    }
  }

  /** A string, quotes excluded; `key` is the code of its key, -1 when it is a key itself. */
  protected abstract text(start: number, end: number, flags: number, key: number): void

  /** A whole object was walked. `typeStart` is -1 when it has no `type` string. */
  protected abstract objectEnd(typeStart: number, typeEnd: number, parentKey: number): void

  protected abstract objectStart(parentKey: number): void

  protected doubt(what: string, at: number): void {
    this.ambiguous ??= `${what} at byte ${at}`
  }

  protected broken(what: string): never {
    throw new JsonBroken(what, this.pos)
  }

  /** Moves to the next byte that is not white space and returns it; -1 at the end. */
  protected peek(): number {
    const { buf } = this
    let p = this.pos
    let c = buf[p]
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = buf[++p]
    this.pos = p
    return c === undefined ? -1 : c
  }

  /** Walks the value that starts here; `key` tells under which key it stands. */
  protected value(key: number): void {
    const c = this.peek()
    if (c === 0x22) {
      const start = this.pos + 1
      const end = this.string(start)
      this.pos = end + 1
      this.text(start, end, this.flags, key)
    } else if (c === 0x7b) this.object(key)
    else if (c === 0x5b) this.array(key)
    else this.scalar(c)
  }

  /** The value of a member, its colon read. */
  protected member(key: number): void {
    this.value(key)
  }

  protected object(parentKey: number): void {
    this.deeper()
    this.objectStart(parentKey)
    let typeStart = -1
    let typeEnd = -1
    const base = this.#keys.open()
    let c = this.peek()
    if (c === 0x7d) this.pos++
    else {
      for (;;) {
        if (c !== 0x22) this.broken('a key was expected')
        const code = this.key(base)
        if (this.peek() !== 0x3a) this.broken('a colon was expected')
        this.pos++
        if (code === keyCode.type && this.peek() === 0x22) {
          typeStart = this.pos + 1
          typeEnd = this.string(typeStart)
          this.pos = typeEnd + 1
          this.text(typeStart, typeEnd, this.flags, code)
        } else this.member(code)
        c = this.peek()
        if (c === 0x2c) {
          this.pos++
          c = this.peek()
        } else if (c === 0x7d) {
          this.pos++
          break
        } else this.broken('a comma or the end of an object was expected')
      }
    }
    this.#keys.close(base)
    this.depth--
    this.objectEnd(typeStart, typeEnd, parentKey)
  }

  protected array(key: number): void {
    this.deeper()
    if (this.peek() === 0x5d) this.pos++
    else {
      for (;;) {
        this.value(key)
        const c = this.peek()
        this.pos++
        if (c === 0x2c) continue
        if (c === 0x5d) break
        this.pos--
        this.broken('a comma or the end of an array was expected')
      }
    }
    this.depth--
  }

  /** Steps over `{` or `[`. */
  protected deeper(): void {
    this.pos++
    if (++this.depth > limits.jsonDepthMax) {
      this.broken(`nesting deeper than ${limits.jsonDepthMax}`)
    }
  }

  /** Scans the key at the opening quote; returns its code. Duplicates are noted. */
  protected key(base: number): number {
    const start = this.pos + 1
    const end = this.string(start)
    this.pos = end + 1
    if (this.flags !== 0 || end - start >= longKey) this.text(start, end, this.flags, -1)
    const doubled = this.#keys.add(this.buf, base, start, end, this.flags)
    if (doubled) this.doubt('a key that stands twice in one object', start)
    return this.#keys.codeOfLast
  }

  /** Notes a key that was walked before, with the flags that it had. */
  protected keyAgain(base: number, start: number, end: number, flags: number): void {
    this.#keys.add(this.buf, base, start, end, flags)
  }

  protected openKeys(): number {
    return this.#keys.open()
  }

  protected closeKeys(base: number): void {
    this.#keys.close(base)
  }

  /** Validates the string whose first byte is at `start`; returns where its closing quote is. */
  protected string(start: number): number {
    const { buf } = this
    let p = start
    let flags = 0
    for (;;) {
      let kind = stringClass[buf[p] as number]
      while (kind === 0) kind = stringClass[buf[++p] as number]
      if (kind === 1) {
        this.flags = flags
        return p
      }
      if (kind === 2) {
        flags |= textFlag.escape
        const letter = buf[p + 1] as number
        if (escapeClass[letter] === 1) p += 2
        else {
          this.pos = p
          if (letter !== 0x75) this.broken('an escape that JSON does not have')
          flags |= this.#unicodeEscape(p)
          p = this.pos
        }
      } else if (kind === 4) {
        // Runs of text in other scripts stay in this loop.
        flags |= textFlag.notAscii
        do {
          const cp = utf8At(buf, p)
          if (cp < 0) {
            this.doubt('invalid UTF-8', p)
            p++
          } else {
            flags |= suspicion(cp)
            p += cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4
          }
        } while ((buf[p] as number) >= 0x80)
      } else {
        this.pos = p
        this.broken(kind === undefined ? 'the end within a string' : 'a control character')
      }
    }
  }

  /** `\uXXXX` at `at`, with its low half where it has one. Moves past it; returns flags. */
  #unicodeEscape(at: number): number {
    const { buf } = this
    const high = hex4(buf, at + 2)
    if (high < 0) this.broken('a broken \\u escape')
    this.pos = at + 6
    if (high < 0x80) return 0
    if (high < 0xd800 || high > 0xdfff) return suspicion(high)
    const low = buf[at + 6] === 0x5c && buf[at + 7] === 0x75 ? hex4(buf, at + 8) : -1
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff) {
      this.doubt('half of a surrogate pair', at)
      return 0
    }
    this.pos = at + 12
    return suspicion(((high & 0x3ff) << 10) + (low & 0x3ff) + 0x10000)
  }

  /** A number or a literal name. */
  protected scalar(c: number): void {
    if (c === 0x74) this.#name('true')
    else if (c === 0x66) this.#name('false')
    else if (c === 0x6e) this.#name('null')
    else if (c === 0x2d || (c >= 0x30 && c <= 0x39)) this.#number()
    else this.broken(c === -1 ? 'the end where a value was expected' : 'no JSON value')
  }

  #name(name: string): void {
    invariant(name.length <= 5, 'a literal name of JSON')
    for (let i = 0; i < name.length; i++) {
      if (this.buf[this.pos + i] !== name.charCodeAt(i)) this.broken('no JSON value')
    }
    this.pos += name.length
  }

  #number(): void {
    const { buf } = this
    const start = this.pos
    let p = start
    if (buf[p] === 0x2d) p++
    const whole = p
    p = digits(buf, p)
    const wholeDigits = p - whole
    this.pos = p
    if (wholeDigits === 0) this.broken('a digit was expected')
    if (wholeDigits > 1 && buf[whole] === 0x30) this.broken('a number that starts with 0')
    let plain = true
    if (buf[p] === 0x2e) {
      plain = false
      const after = digits(buf, p + 1)
      if (after === p + 1) this.broken('a digit was expected')
      p = after
    }
    if (buf[p] === 0x65 || buf[p] === 0x45) {
      plain = false
      p++
      if (buf[p] === 0x2b || buf[p] === 0x2d) p++
      const after = digits(buf, p)
      if (after === p) this.broken('a digit was expected')
      p = after
    }
    this.pos = p
    if (p - start < 16 && plain) return
    const read = Number(latin1(buf, start, p))
    // Schemas of tools hold such integers as limits and nothing depends on them; a setting of the
    // request itself must be the same number to everyone.
    const exact = !plain || this.depth > 1 || Number.isSafeInteger(read)
    if (!Number.isFinite(read) || !exact) this.doubt('a number beyond range', start)
  }
}

function digits(buf: Buffer, from: number): number {
  let p = from
  while ((buf[p] as number) >= 0x30 && (buf[p] as number) <= 0x39) p++
  return p
}

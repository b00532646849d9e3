import { escapeValue } from './json-classes.ts'
import { hex4, utf8At } from './utf8.ts'

/**
 * Reads the code points of a raw JSON string one after the other: UTF-8 and escapes alike.
 * `at` is where the last one began, `next` where the following begins; ill-formed bytes and halves
 * of pairs read as U+FFFD.
 */
export class TextCursor {
  #buf: Buffer = Buffer.alloc(0)
  #end = 0
  #raw = false
  at = 0
  next = 0

  /** `raw`: the bytes are plain text, so a backslash is a backslash. */
  open(buf: Buffer, start: number, end: number, raw = false): void {
    this.#buf = buf
    this.#end = end
    this.#raw = raw
    this.at = start
    this.next = start
  }

  /** The next code point; -1 at the end. */
  read(): number {
    const p = this.next
    this.at = p
    if (p >= this.#end) return -1
    const c = this.#buf[p] as number
    if (c >= 0x80) {
      const cp = utf8At(this.#buf, p)
      if (cp < 0) {
        this.next = p + 1
        return 0xfffd
      }
      this.next = p + (cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4)
      return cp
    }
    if (c !== 0x5c || this.#raw) {
      this.next = p + 1
      return c
    }
    return this.#escape(p)
  }

  #escape(p: number): number {
    const letter = this.#buf[p + 1] as number
    if (letter !== 0x75) {
      this.next = p + 2
      return escapeValue[letter] ?? 0xfffd
    }
    const high = hex4(this.#buf, p + 2)
    this.next = p + 6
    if (high < 0xd800 || high > 0xdfff) return high < 0 ? 0xfffd : high
    const paired = this.#buf[p + 6] === 0x5c && this.#buf[p + 7] === 0x75
    const low = paired && p + 12 <= this.#end ? hex4(this.#buf, p + 8) : -1
    if (high > 0xdbff || low < 0xdc00 || low > 0xdfff) return 0xfffd
    this.next = p + 12
    return ((high & 0x3ff) << 10) + (low & 0x3ff) + 0x10000
  }
}

/** The text of a raw JSON string, quotes excluded. */
export function decodeString(buf: Buffer, start: number, end: number): string {
  let plainTo = start
  while (plainTo < end && buf[plainTo] !== 0x5c) plainTo++
  if (plainTo === end) return buf.toString('utf8', start, end)
  const cursor = new TextCursor()
  cursor.open(buf, plainTo, end)
  let text = buf.toString('utf8', start, plainTo)
  for (let cp = cursor.read(); cp >= 0; cp = cursor.read()) text += String.fromCodePoint(cp)
  return text
}

export function latin1(buf: Buffer, start: number, end: number): string {
  return buf.toString('latin1', start, end)
}

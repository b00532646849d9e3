import type { BlockKind } from '#words/content.ts'
import { textFlag } from '#wire/json-classes.ts'
import { TextCursor } from '#wire/json-text.ts'
import type { Detector, Report, TextRange, TextStream } from './detector.ts'
import { HiddenMachine } from './hidden-machine.ts'

/**
 * Characters that a person does not see and a model reads: zero-width characters, tags, bidi
 * controls, variation selectors, blank letters, and look-alike apostrophes in system prompts.
 *
 * The attacker hides instructions in a file that an agent reads, or marks a company's requests by
 * how its prompt is spelt (Boucher and Anderson, "Trojan Source", CVE-2021-42574; Unicode TR 36).
 */
export const hiddenUnicode: Detector = {
  id: 'hidden-unicode',
  version: '1',
  wanted: textFlag.hidden | textFlag.lookAlike,

  inspect(range: TextRange, report: Report): void {
    if ((range.flags & textFlag.hidden) === 0 && range.kind !== 'system') return
    const machine = new HiddenMachine(range.kind)
    const cursor = new TextCursor()
    cursor.open(range.buf, range.start, range.end, range.raw)
    for (let cp = cursor.read(); cp >= 0; cp = cursor.read()) {
      machine.feed(cp, cursor.at, cursor.next)
    }
    for (const [rule, hit] of machine.end()) report({ rule, ...hit })
  },

  stream(kind: BlockKind): TextStream {
    return new HiddenStream(kind)
  },
}

/** Nothing but ASCII and the commonest scripts goes by without a look at each character. */
const plain = /^[\x00-\x7f]*$/

class HiddenStream implements TextStream {
  readonly #machine: HiddenMachine
  #high = 0

  constructor(kind: BlockKind) {
    this.#machine = new HiddenMachine(kind)
  }

  write(text: string): void {
    if (plain.test(text)) {
      // Only what stands next to a suspect matters: the first two and the last two characters.
      if (text.length > 4) {
        this.#feed(text.slice(0, 2))
        this.#feed(text.slice(-2))
      } else this.#feed(text)
      return
    }
    this.#feed(text)
  }

  end(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (const [rule, hit] of this.#machine.end()) counts[rule] = hit.count
    return counts
  }

  #feed(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const unit = text.charCodeAt(at)
      // A delta may end between the halves of a pair.
      if (unit >= 0xd800 && unit <= 0xdbff) this.#high = unit
      else if (unit >= 0xdc00 && unit <= 0xdfff && this.#high !== 0) {
        const cp = ((this.#high & 0x3ff) << 10) + (unit & 0x3ff) + 0x10000
        this.#high = 0
        this.#machine.feed(cp, -1, -1)
      } else {
        this.#high = 0
        this.#machine.feed(unit, -1, -1)
      }
    }
  }
}

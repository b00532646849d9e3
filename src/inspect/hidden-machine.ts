import type { BlockKind } from '#words/content.ts'
import { suspicion, textFlag } from '#wire/json-classes.ts'

export type Hit = { start: number; end: number; count: number; confidence: number }

export const confidences = {
  'tag-characters': 0.98,
  'bidi-control': 0.8,
  'zero-width': 0.6,
  'variation-selector': 0.7,
  'invisible-separator': 0.6,
  'soft-hyphen': 0.3,
  'look-alike-punctuation': 0.3,
} as const

export type HiddenRule = keyof typeof confidences

const pictograph = /^\p{Extended_Pictographic}$/u
const emojiBase = /^[\p{Emoji}\p{Extended_Pictographic}]$/u
/** Scripts whose spelling needs joiners, and those written without spaces (Unicode 23.2). */
const joining =
  /^[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}]$/u
const rightToLeft =
  /^[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]$/u
const ideograph =
  /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\uff00-\uffef]$/u

/**
 * Reads code points one after the other and decides which hidden ones have no honest reason to be
 * there. What may be honest: emoji sequences (UTS 51), flags made of tags, joiners inside scripts
 * that need them, bidi marks in text that has right-to-left letters, one byte order mark at the
 * start of a file that a tool read.
 */
export class HiddenMachine {
  readonly #kind: BlockKind
  readonly #hits = new Map<HiddenRule, Hit>()
  readonly #bidi: { cp: number; start: number; end: number }[] = []
  #bidiDropped = 0
  #previous = -1
  /** Last code point that shows something: selectors and joiners hang on it. */
  #base = -1
  #joiner: { start: number; end: number } | null = null
  #flag: { start: number; end: number; tags: number } | null = null
  #rtl = false
  #ascii = false
  #like: Hit | null = null
  #index = 0

  constructor(kind: BlockKind) {
    this.#kind = kind
  }

  feed(cp: number, start: number, end: number): void {
    if (this.#joiner !== null) this.#closeJoiner(cp)
    if (this.#flag !== null && !this.#goesOnFlag(cp, end)) this.#closeFlag()
    const doubt = cp < 0x80 ? 0 : suspicion(cp)
    if (doubt === 0) {
      if (cp >= 0x590 && !this.#rtl) this.#rtl = isAny(rightToLeft, cp)
      if (cp === 0x27) this.#ascii = true
      this.#base = cp
    } else if (doubt === textFlag.lookAlike) this.#lookAlike(cp, start, end)
    else this.#hidden(cp, start, end)
    if (cp === 0x1f3f4) this.#flag = { start: end, end, tags: 0 }
    this.#previous = cp
    this.#index++
  }

  end(): ReadonlyMap<HiddenRule, Hit> {
    if (this.#joiner !== null) this.#closeJoiner(-1)
    if (this.#flag !== null) this.#closeFlag()
    this.#closeBidi()
    // One spelling all through is somebody's typography; two side by side are a mark.
    if (this.#like !== null && this.#ascii) this.#hits.set('look-alike-punctuation', this.#like)
    return this.#hits
  }

  #hidden(cp: number, start: number, end: number): void {
    if (cp >= 0xe0000) {
      if (this.#flag !== null) return
      if (cp >= 0xe0100 && cp <= 0xe01ef) {
        this.#selector(isAny(ideograph, this.#base), start, end)
      } else this.#hit('tag-characters', start, end)
    } else if (cp === 0x200d || cp === 0x200c) {
      this.#joiner = { start, end }
    } else if (cp === 0x200b) {
      if (!isAny(joining, this.#base)) this.#hit('zero-width', start, end)
    } else if (cp === 0xfeff) {
      if (!this.#startsFile()) this.#hit('zero-width', start, end)
    } else if (cp >= 0xfe00 && cp <= 0xfe0f) {
      const wide = isAny(ideograph, this.#base) || (this.#base >= 0x2200 && this.#base <= 0x22ff)
      const fits = cp >= 0xfe0e ? isAny(emojiBase, this.#base) || wide : wide
      this.#selector(fits, start, end)
    } else if (cp >= 0x180b && cp <= 0x180f) {
      this.#selector(this.#base >= 0x1800 && this.#base <= 0x18af, start, end)
    } else if (isBidi(cp)) {
      if (this.#bidi.length < 4096) this.#bidi.push({ cp, start, end })
      else this.#bidiDropped++
    } else if (cp === 0xad) this.#hit('soft-hyphen', start, end)
    else if (cp === 0x115f || cp === 0x1160) {
      const jamo = this.#base >= 0x1100 && this.#base <= 0x11ff
      if (!jamo) this.#hit('invisible-separator', start, end)
    } else this.#hit('invisible-separator', start, end)
  }

  /** A variation selector is honest once, right behind a character that has variants. */
  #selector(fits: boolean, start: number, end: number): void {
    if (!fits || this.#previous !== this.#base) this.#hit('variation-selector', start, end)
  }

  /** A joiner is honest between pictographs, and inside scripts whose spelling needs it. */
  #closeJoiner(next: number): void {
    const { start, end } = this.#joiner as { start: number; end: number }
    this.#joiner = null
    const shown = this.#base
    // Skin tones hang on the pictograph before them.
    const pictured = isAny(pictograph, shown) || (shown >= 0x1f3fb && shown <= 0x1f3ff)
    if (pictured && isAny(pictograph, next)) return
    if (isAny(joining, shown)) return
    this.#hit('zero-width', start, end)
  }

  /** After a black flag: tag letters, then the cancel tag (UTS 51, ED-14a). */
  #goesOnFlag(cp: number, end: number): boolean {
    const flag = this.#flag as { start: number; end: number; tags: number }
    const letter = (cp >= 0xe0030 && cp <= 0xe0039) || (cp >= 0xe0061 && cp <= 0xe007a)
    if (letter && flag.tags < 7) {
      flag.tags++
      flag.end = end
      return true
    }
    if (cp === 0xe007f && flag.tags >= 3 && flag.tags <= 6) {
      flag.tags = 0
      return true
    }
    return false
  }

  #closeFlag(): void {
    const flag = this.#flag as { start: number; end: number; tags: number }
    this.#flag = null
    if (flag.tags > 0) this.#hit('tag-characters', flag.start, flag.end, flag.tags)
  }

  #closeBidi(): void {
    let open = 0
    let balanced = true
    for (const { cp } of this.#bidi) {
      if (cp === 0x202a || cp === 0x202b || (cp >= 0x2066 && cp <= 0x2068)) open++
      else if (cp === 0x202c || cp === 0x2069) open--
      if (open < 0) balanced = false
    }
    const honest = this.#rtl && balanced && open === 0
    for (const { cp, start, end } of this.#bidi) {
      const mark = cp === 0x200e || cp === 0x200f || cp === 0x61c
      const override = cp === 0x202d || cp === 0x202e || (cp >= 0x206a && cp <= 0x206f)
      if ((mark && this.#rtl) || (!override && honest)) continue
      this.#hit('bidi-control', start, end)
    }
    if (this.#bidiDropped > 0) this.#hit('bidi-control', -1, -1, this.#bidiDropped)
  }

  /** At the start of what a tool read, or behind the first line number that it put in front. */
  #startsFile(): boolean {
    if (this.#kind !== 'tool-result' && this.#kind !== 'document') return false
    const behindNumber = this.#previous === 0x2192 || this.#previous === 0x09
    return this.#index === 0 || (behindNumber && this.#index < 12)
  }

  #lookAlike(cp: number, start: number, end: number): void {
    this.#base = cp
    if (this.#kind !== 'system') return
    const hit = (this.#like ??= { start, end, count: 0, confidence: 0.3 })
    hit.count++
    hit.end = end
  }

  #hit(rule: HiddenRule, start: number, end: number, count = 1): void {
    const hit = this.#hits.get(rule)
    if (hit === undefined) {
      this.#hits.set(rule, { start, end, count, confidence: confidences[rule] })
      return
    }
    hit.count += count
    if (end >= 0) hit.end = end
    // One may be an accident of copying; a row of them spells something.
    if (hit.count >= 8) hit.confidence = Math.max(hit.confidence, 0.9)
  }
}

function isBidi(cp: number): boolean {
  return (
    cp === 0x200e ||
    cp === 0x200f ||
    cp === 0x61c ||
    (cp >= 0x202a && cp <= 0x202e) ||
    (cp >= 0x2066 && cp <= 0x206f)
  )
}

function isAny(kinds: RegExp, cp: number): boolean {
  return cp >= 0 && kinds.test(String.fromCodePoint(cp))
}

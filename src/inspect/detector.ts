import type { BlockKind } from '#words/content.ts'

/** A string in raw bytes: JSON escapes and UTF-8 as they stand, quotes excluded. */
export type TextRange = {
  readonly buf: Buffer
  readonly start: number
  readonly end: number
  readonly kind: BlockKind
  /** `textFlag` bits that the scanner saw. */
  readonly flags: number
  /** Plain text, not the inside of a JSON string: a backslash is a backslash. */
  readonly raw: boolean
}

export type Report = (hit: {
  readonly rule: string
  /** Raw byte range of the first and to the last occurrence. */
  readonly start: number
  readonly end: number
  readonly count: number
  readonly confidence: number
}) => void

/**
 * Looks for one class of things in text. A detector that throws makes the exchange uninspected,
 * which blocks under `enforce`: it is never passed over.
 */
export type Detector = {
  /** Class of its findings. */
  readonly id: string
  /** Raised with every change of what it finds: part of the rule-set digest. */
  readonly version: string
  /** Only strings with one of these flags are shown to it; -1: every string. */
  readonly wanted: number
  inspect(range: TextRange, report: Report): void
  /** The same over decoded text that arrives in pieces, as answers do. */
  stream(kind: BlockKind): TextStream
}

export type TextStream = {
  write(text: string): void
  /** Rule -> count. */
  end(): Readonly<Record<string, number>>
}

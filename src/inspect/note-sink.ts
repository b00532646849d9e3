import type { BlockKind } from '#words/content.ts'
import { limits } from '#words/limits.ts'
import { textFlag } from '#wire/json-classes.ts'
import type { TextSink } from '#wire/visit-unit.ts'
import type { Detector } from './detector.ts'

/** A finding inside one unit, with offsets from the unit's start: it stays true when that moves. */
export type Note = {
  readonly class: string
  readonly rule: string
  readonly block: BlockKind
  /** Start of the string that it stands in. */
  readonly string: number
  readonly start: number
  readonly end: number
  readonly count: number
  readonly confidence: number
}

/** Shows each string to each detector that wants it, and keeps what they report. */
export class NoteSink implements TextSink<readonly Note[]> {
  readonly wanted: number
  readonly #detectors: readonly Detector[]
  #notes: Note[] | null = null

  constructor(detectors: readonly Detector[]) {
    this.#detectors = detectors
    this.wanted = detectors.reduce((all, detector) => all | detector.wanted, 0)
  }

  text(
    kind: BlockKind,
    buf: Buffer,
    start: number,
    end: number,
    flags: number,
    unit: number,
  ): void {
    this.#show(kind, buf, start, end, flags, unit, false)
  }

  raw(buf: Buffer, start: number, end: number): void {
    const every = textFlag.hidden | textFlag.notAscii | textFlag.escape
    this.#show('unknown', buf, start, end, every, start, true)
  }

  take(): readonly Note[] | null {
    const notes = this.#notes
    this.#notes = null
    return notes
  }

  #show(
    kind: BlockKind,
    buf: Buffer,
    start: number,
    end: number,
    flags: number,
    unit: number,
    raw: boolean,
  ): void {
    for (const detector of this.#detectors) {
      if (detector.wanted !== -1 && (detector.wanted & flags) === 0) continue
      detector.inspect({ buf, start, end, kind, flags, raw }, (hit) => {
        const notes = (this.#notes ??= [])
        if (notes.length >= limits.findingsPerExchangeMax) return
        notes.push({
          class: detector.id,
          rule: hit.rule,
          block: kind,
          string: start - unit,
          start: hit.start - unit,
          end: hit.end - unit,
          count: hit.count,
          confidence: hit.confidence,
        })
      })
    }
  }
}

import { renameSync, writeFileSync } from 'node:fs'

/**
 * The clock of a Postern under test: a file with an offset that its processes read. A file that is
 * renamed into place, so that nobody reads half of it.
 */
export class TestClock implements Disposable {
  readonly file: string
  #offsetMs = 0
  #holding: NodeJS.Timeout | null = null

  constructor(file: string) {
    this.file = file
    this.#write(0)
  }

  nowMs(): number {
    return Date.now() + this.#offsetMs
  }

  /** Goes on from here, at the usual pace. */
  set(ms: number): void {
    this.#stopHolding()
    this.#write(ms - Date.now())
  }

  /** Stands still, to within some milliseconds, until it is set again. */
  hold(ms: number): void {
    this.#stopHolding()
    const write = (): void => this.#write(ms - Date.now())
    write()
    this.#holding = setInterval(write, 20)
  }

  #stopHolding(): void {
    if (this.#holding !== null) clearInterval(this.#holding)
    this.#holding = null
  }

  #write(offsetMs: number): void {
    this.#offsetMs = Math.round(offsetMs)
    writeFileSync(`${this.file}.new`, String(this.#offsetMs))
    renameSync(`${this.file}.new`, this.file)
  }

  [Symbol.dispose](): void {
    this.#stopHolding()
  }
}

import { Fault } from '#words/faults.ts'

/** Bytes of one request that count against the bound, until it is disposed of. */
export type Hold = Disposable & {
  /** Takes more bytes, for bodies whose length was not announced. */
  grow(bytes: number): Promise<void>
}

/**
 * The bound on bytes in flight at one worker. Above it requests wait their turn, oldest first;
 * after `waitMs`, or with more than `waitersMax` in line, they get `busy` (503 with Retry-After).
 *
 * A single request larger than the bound passes alone: it waits until nothing else is in flight.
 */
export class InFlight {
  readonly #max: number
  readonly #waitMs: number
  readonly #waitersMax: number
  #bytes = 0
  readonly #waiting: { bytes: number; go: () => void }[] = []

  constructor(bounds: { bytesMax: number; waitMs: number; waitersMax: number }) {
    this.#max = bounds.bytesMax
    this.#waitMs = bounds.waitMs
    this.#waitersMax = bounds.waitersMax
  }

  get bytes(): number {
    return this.#bytes
  }

  async hold(bytes: number): Promise<Hold> {
    let held = 0
    const grow = async (more: number): Promise<void> => {
      if (this.#fits(more) && this.#waiting.length === 0) this.#bytes += more
      else await this.#turn(more)
      held += more
    }
    await grow(bytes)
    return {
      grow,
      [Symbol.dispose]: () => {
        this.#bytes -= held
        held = 0
        this.#wake()
      },
    }
  }

  #fits(bytes: number): boolean {
    return this.#bytes === 0 || this.#bytes + bytes <= this.#max
  }

  #turn(bytes: number): Promise<void> {
    if (this.#waiting.length >= this.#waitersMax) return Promise.reject(busy())
    return new Promise((resolve, reject) => {
      const waiter = {
        bytes,
        go: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      const timer = setTimeout(() => {
        const at = this.#waiting.indexOf(waiter)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(busy())
      }, this.#waitMs)
      this.#waiting.push(waiter)
    })
  }

  #wake(): void {
    for (;;) {
      const next = this.#waiting[0]
      if (next === undefined || !this.#fits(next.bytes)) return
      // Taken here and not when the waiter continues, so that nobody slips in between.
      this.#bytes += next.bytes
      this.#waiting.shift()
      next.go()
    }
  }
}

function busy(): Fault {
  return new Fault('busy', {
    outward: 'The gate has as many bytes in flight as it may. Try again in a few seconds.',
  })
}

import type { Content } from '#words/content.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { OpenStreams } from './rooms.ts'

type Open = {
  readonly exchange: Exchange
  readonly caller: Caller
  readonly content: Content
  cut(why: string): void
}

/** What a decision says of a stream that is open while it starts. */
export type Reconsider = (open: Open) => {
  readonly kind: 'go-on' | 'cut'
  readonly afterMs: number
}

/**
 * Every answer that is still running. `reconsider` is called whenever a bundle or revocation came
 * in and once a second (a decision starts by the clock, with nobody telling), and cuts what the
 * decision cuts: at once for a revocation, after N seconds where the decision says so.
 */
export class OpenExchanges implements OpenStreams {
  readonly #open = new Set<Open & { dueAtMs?: number }>()

  get count(): number {
    return this.#open.size
  }

  add(open: Open): Disposable {
    const held = { ...open }
    this.#open.add(held)
    return {
      [Symbol.dispose]: () => {
        this.#open.delete(held)
      },
    }
  }

  reconsider(judge: Reconsider, nowMs: number): void {
    for (const open of this.#open) {
      const said = judge(open)
      if (said.kind === 'go-on') {
        delete open.dueAtMs
        continue
      }
      open.dueAtMs ??= nowMs + said.afterMs
      if (nowMs >= open.dueAtMs) open.cut('decision')
    }
  }
}

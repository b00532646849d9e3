import type { World } from '#words/clock.ts'
import { instantText } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { readIfThere, writeSynced } from './seen-file.ts'

/**
 * The time by which bans start and approvals end: max(clock, highest seen).
 *
 * The attacker sets the clock of the machine. Back, so that a ban has not begun: up to 5 s time
 * stands still, beyond that `nowMs` throws `clock-stepped`. Forward, so that a good time later
 * looks like a step back and service stops: a jump of more than 60 s counts (bans start), but is
 * not remembered until control's signature vouches for it.
 *
 * Not defended: root on the machine, who can delete the file and creep by less than the bounds.
 */
export type PolicyTime = {
  /** Policy time, epoch ms. Throws `clock-stepped`. */
  nowMs(): number
  /** Where the last `nowMs` came from: `clock`, `clock-unconfirmed`, `highest-seen`, `control`. */
  source(): string
  /** A time that control signed (of a bundle, or a heartbeat): time was at least this. */
  learn(controlSignedMs: number): void
  /** Writes what has not been written yet. */
  close(): void
}

const keepEveryMs = 1_000

export function openPolicyTime({ world, file }: { world: World; file: string }): PolicyTime {
  let highestMs = readHighest(file)
  let highestAtMonotonic = world.monotonicMs()
  let confirmedByControl = false
  let source = 'clock'
  let keptMs = highestMs
  let keptAtMonotonic = -Infinity
  if (highestMs < 0) highestMs = world.nowMs()

  const raise = (ms: number, monotonic: number): void => {
    highestMs = ms
    highestAtMonotonic = monotonic
    if (monotonic - keptAtMonotonic >= keepEveryMs) keep(monotonic)
  }
  // Synchronous on purpose: at most once a second, and a time that was used is on disk.
  const keep = (monotonic: number): void => {
    keptAtMonotonic = monotonic
    if (highestMs <= keptMs) return
    writeSynced(file, `${highestMs}\n`)
    keptMs = highestMs
  }

  return {
    nowMs() {
      const clock = world.nowMs()
      const monotonic = world.monotonicMs()
      if (clock > highestMs) {
        const passed = Math.max(0, monotonic - highestAtMonotonic)
        if (clock - highestMs > passed + limits.clockForwardMsMax) {
          source = 'clock-unconfirmed'
          return clock
        }
        source = confirmedByControl ? 'control' : 'clock'
        raise(clock, monotonic)
        return clock
      }
      if (highestMs - clock > limits.clockBackMsMax) {
        throw new Fault('clock-stepped', {
          outward: 'The clock of this gate went back, so it cannot tell which decisions hold.',
          inward: `clock ${instantText(clock)}, highest seen ${instantText(highestMs)}`,
        })
      }
      if (clock < highestMs) source = 'highest-seen'
      return highestMs
    },
    source: () => source,
    learn(controlSignedMs) {
      const monotonic = world.monotonicMs()
      confirmedByControl = true
      if (controlSignedMs > highestMs) raise(controlSignedMs, monotonic)
    },
    close() {
      keep(world.monotonicMs())
    },
  }
}

/** -1 when the gate starts for the first time. */
function readHighest(file: string): number {
  const text = readIfThere(file)
  if (text === null) return -1
  if (!/^\d{1,16}(\.\d+)?\n$/.test(text)) {
    throw new Fault('clock-stepped', {
      outward: 'The file that remembers the highest time seen is damaged.',
      inward: file,
    })
  }
  return Number(text)
}

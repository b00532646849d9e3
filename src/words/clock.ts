import { randomBytes } from 'node:crypto'

/**
 * Time and chance come in by the front door: every room takes a `World`, so that a test can set
 * the clock of a gate to one second before midnight.
 */
export type World = {
  /** Wall clock, milliseconds since the Unix epoch (UTC). */
  nowMs(): number
  /** A clock that never steps, milliseconds from an arbitrary origin. */
  monotonicMs(): number
  /** `length` unpredictable bytes. */
  randomBytes(length: number): Buffer
}

export const realWorld: World = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  randomBytes: (length) => randomBytes(length),
}

/** RFC 3339 in UTC with milliseconds, the one form in which times are written down. */
export function instantText(ms: number): string {
  return new Date(ms).toISOString()
}

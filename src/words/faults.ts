import { faultAdvice } from './fault-codes.ts'
import type { FaultCode } from './fault-codes.ts'

/**
 * Something in the world was not as it has to be. Verdicts are returned, faults are thrown, bugs
 * crash (`invariant`).
 *
 * Two voices: `outward` may be shown to whoever asked; `inward` is for our own log and may hold
 * detail that a stranger must not see. Neither may hold a credential.
 */
export class Fault extends Error {
  readonly code: FaultCode
  readonly outward: string
  readonly inward: string

  constructor(
    code: FaultCode,
    voices: { readonly outward: string; readonly inward?: string; readonly cause?: unknown },
  ) {
    super(voices.outward, voices.cause === undefined ? undefined : { cause: voices.cause })
    this.name = 'Fault'
    this.code = code
    this.outward = voices.outward
    this.inward = voices.inward ?? voices.outward
  }

  /** One sentence that says what to do about it. */
  get advice(): string {
    return faultAdvice[this.code]
  }
}

export function isFault(value: unknown, code?: FaultCode): value is Fault {
  return value instanceof Fault && (code === undefined || value.code === code)
}

class Broken extends Error {
  override readonly name = 'InvariantBroken'
}

/** Asserts what we believe of our own code. Never caught but at the top of a process. */
export function invariant(holds: unknown, belief: string): asserts holds {
  if (!holds) throw new Broken(belief)
}

/** A compiler that counts: the default branch of a switch over a union. */
export function unreachable(value: never): never {
  throw new Broken(`no branch for ${JSON.stringify(value)}`)
}

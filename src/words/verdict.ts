import type { Profile, Status } from './decision.ts'
import type { DecisionId, ToolId } from './ids.ts'

export type VerdictKind = 'allow' | 'warn' | 'redact' | 'hold' | 'block'

/** A reason in plain words, and the policy and decision that it rests on. */
export type Reason = {
  readonly policy: string
  readonly decision: DecisionId | null
  readonly words: string
}

/** What may be used instead, resolved for this caller. */
export type Instead = {
  readonly tool: ToolId
  readonly name: string
  readonly start: string
  readonly note: string
}

export type Verdict = {
  readonly kind: VerdictKind
  /** What the verdict would have been under `enforce`; equal to `kind` there. */
  readonly wouldBe: VerdictKind
  readonly profile: Profile
  readonly status: Status
  readonly because: readonly Reason[]
  readonly instead: readonly Instead[]
  /** Ids of the Cedar policies that determined it, sorted. */
  readonly policies: readonly string[]
  /** The one decision that a refusal or warning quotes. */
  readonly decision: DecisionId | null
  /** When that decision takes or took effect for this caller, epoch ms; null without one. */
  readonly effectiveMs: number | null
  /** Time zone in which to say it. */
  readonly timeZone: string
  /** `M`: what the person reads. One line, actor first, below 240 characters. Empty for allow. */
  readonly message: string
  /** What would have to change for it to pass, one sentence a line. */
  readonly toPass: readonly string[]
  readonly openStreams:
    | { readonly kind: 'finish' }
    | { readonly kind: 'cut'; readonly afterSeconds: number }
  readonly bundle: {
    readonly counter: number
    readonly digest: string
    /** Age of the bundle at the verdict, milliseconds. */
    readonly ageMs: number
  }
  /** Where policy time came from: `clock`, `highest-seen`, `control`. */
  readonly timeSource: string
}

/** May the request leave the building? */
export function mayLeave(verdict: Verdict): boolean {
  return verdict.kind === 'allow' || verdict.kind === 'warn' || verdict.kind === 'redact'
}

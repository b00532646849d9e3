import type { GroundPart, PrincipalsPart } from '#words/bundle.ts'
import type { Approval, Decision } from '#words/decision.ts'
import type { DeviceId, TokenId, UserId } from '#words/ids.ts'

export type RegisterUser = PrincipalsPart['users'][number]
export type RegisterToken = PrincipalsPart['tokens'][number]
export type RegisterDevice = PrincipalsPart['devices'][number]

/**
 * A transition of the register. The present state, and every past one, is a projection of these.
 * Valid time stands in the decision, transaction time is the instant at which the ledger took the
 * event in.
 */
export type RegisterEvent =
  /** A new decision, or a new wording of one with the same id; `approval` where it loosens. */
  | {
      readonly kind: 'decision-set'
      readonly decision: Decision
      readonly approval: Approval | null
    }
  /** Catalog, policies, sites, classifications and house rules as one; approvers signed it. */
  | { readonly kind: 'ground-set'; readonly ground: GroundPart }
  | { readonly kind: 'people-set'; readonly users: readonly RegisterUser[] }
  | { readonly kind: 'token-issued'; readonly token: RegisterToken; readonly tool: string | null }
  | { readonly kind: 'token-revoked'; readonly id: TokenId; readonly reason: string }
  | { readonly kind: 'device-enrolled'; readonly device: RegisterDevice }
  | { readonly kind: 'device-revoked'; readonly id: DeviceId; readonly reason: string }
  | { readonly kind: 'launch-revoked'; readonly launch: string; readonly reason: string }
  | { readonly kind: 'user-revoked'; readonly id: UserId; readonly reason: string }
  | { readonly kind: 'user-restored'; readonly id: UserId; readonly reason: string }

/** One event as the ledger holds it. */
export type LedgerLine = {
  readonly event: RegisterEvent
  /** Transaction time; never below that of the line before. */
  readonly knownAtMs: number
  /** What to look for in the log: the hex digest of the line. */
  readonly entry: string
}

/**
 * Where transitions are kept.
 *
 * `append` resolves only when the event is durable *and* its digest is in the log; until then it
 * has no effect. Calls wait for each other. One process at a time writes.
 */
export type Ledger = {
  append(event: RegisterEvent): Promise<LedgerLine>
  list(): AsyncIterable<LedgerLine>
}

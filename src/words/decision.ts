import type {
  DecisionId,
  GroupId,
  ModelFamilyId,
  ProviderId,
  SiteId,
  ToolId,
  UserId,
  VendorId,
} from './ids.ts'

export type Status =
  | 'approved'
  | 'conditional'
  | 'tolerated'
  | 'under-review'
  | 'prohibited'
  | 'retired'
  | 'unknown'

/** How strictly a decision is enforced: recorded only, said to the person, or refused. */
export type Profile = 'observe' | 'warn' | 'enforce'

/** Who could have altered the gate that wrote a record. */
export type Custody = 'central' | 'device-system' | 'device-user'
/** Which walls stood around the tool. `none`: not started by the launcher. */
export type Level = 'none' | 'L0' | 'L1' | 'L2' | 'L3'

export type Subject =
  | { readonly kind: 'tool'; readonly tool: ToolId }
  /** Package URL with version, and the sha-512 when the approval binds to bytes. */
  | {
      readonly kind: 'release'
      readonly tool: ToolId
      readonly version: string
      readonly sha512?: string
    }
  | { readonly kind: 'vendor'; readonly vendor: VendorId }
  | { readonly kind: 'provider'; readonly provider: ProviderId }
  | { readonly kind: 'model-family'; readonly family: ModelFamilyId }

/**
 * Whom and what a decision is about. An absent list means "any"; every given list must match.
 * An attribute of the caller that is not known never matches an approval and always matches a
 * prohibition.
 */
export type Scope = {
  readonly users?: readonly UserId[]
  readonly groups?: readonly GroupId[]
  readonly sites?: readonly SiteId[]
  readonly repositories?: readonly string[]
  /** Classification of the repository. */
  readonly classifications?: readonly string[]
  readonly dataClasses?: readonly string[]
  /** ISO 3166 alpha-2 of the caller's site. */
  readonly countries?: readonly string[]
  readonly providers?: readonly ProviderId[]
  readonly models?: readonly ModelFamilyId[]
}

/** One instant (RFC 3339 with offset), or midnight by the wall clock of each caller's site. */
export type When =
  | { readonly kind: 'instant'; readonly ms: number }
  /** `YYYY-MM-DD`: 00:00 of that date in the site's time zone. Unknown site: the earliest. */
  | { readonly kind: 'local-midnight'; readonly date: string }

export type Alternative = { readonly tool: ToolId; readonly note?: string }

export type Decision = {
  readonly id: DecisionId
  /**
   * Rises with each change under the same id. Where it is given, gates refuse an older revision, so
   * that control cannot play a signed decision of yesterday again.
   */
  readonly revision?: number
  readonly subject: Subject
  readonly status: Status
  readonly scope: Scope
  readonly effectiveFrom: When
  readonly effectiveUntil?: When
  /** From here to `effectiveFrom` requests pass with a warning that names the date. */
  readonly announceFrom?: When
  readonly profile: Profile
  readonly custody?: Custody
  readonly level?: Level
  readonly openStreams:
    | { readonly kind: 'finish' }
    | { readonly kind: 'cut'; readonly afterSeconds: number }
  readonly conditions: readonly string[]
  readonly alternatives: readonly Alternative[]
  readonly removalDeadline?: When
  readonly rationale: string
  readonly evidence: readonly string[]
  readonly owner: string
  readonly approvers: readonly string[]
  /** Withdrawn decisions stay listed with the instant at which they stop to count. */
  readonly withdrawnAtMs?: number
}

/** k-of-n approver signatures over `canonicalJson({ shown, what })`, see `decide/approval.ts`. */
export type Approval = {
  /** The text that the approvers were shown, word for word. */
  readonly shown: string
  readonly signatures: readonly { readonly keyId: string; readonly signature: string }[]
}

export type Site = {
  readonly id: SiteId
  /** IANA time zone. */
  readonly timeZone: string
  readonly country: string
}

/** Does this status let requests pass (when nothing else forbids)? */
export function permits(status: Status): boolean {
  return status === 'approved' || status === 'conditional' || status === 'tolerated'
}

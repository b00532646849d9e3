import type { Catalog } from './catalog.ts'
import type { Approval, Custody, Decision, Level, Profile, Site } from './decision.ts'
import type { DeviceId, GroupId, ProviderId, SiteId, TokenId, UserId } from './ids.ts'

/**
 * The signed compilation of register and policies that gates and launchers enforce. A manifest of
 * content-addressed parts, with a counter that only rises.
 */
export type BundleManifest = {
  readonly format: 'postern-bundle/1'
  /** Name of the log whose entries this bundle follows from. */
  readonly origin: string
  readonly counter: number
  readonly issuedAtMs: number
  readonly validUntilMs: number
  /** Part name -> lower-case hex SHA-256 of its canonical JSON. */
  readonly parts: Readonly<Record<PartName, string>>
}

export type PartName = 'ground' | 'decisions' | 'principals' | 'revocations'

/** What approvers must sign as a whole: it can loosen. */
export type GroundPart = {
  readonly catalog: Catalog
  /** Cedar policy texts by file name, and the schema. */
  readonly policies: Readonly<Record<string, string>>
  readonly schema: string
  readonly sites: readonly Site[]
  /** Repository -> classification. */
  readonly classifications: Readonly<Record<string, string>>
  /** What happens where no decision says a profile; by default `enforce`. */
  readonly defaultProfile: Profile
  /** Hosts outside the catalog: tunnelled undecrypted, or refused. */
  readonly otherHosts: 'tunnel' | 'refuse'
  readonly sharedHostsOn: readonly string[]
  /** As in `Decision`: where it is given, gates refuse an older one. */
  readonly revision?: number
  readonly approval: Approval | null
}

export type DecisionsPart = {
  /** Every decision that is or will be in force, and withdrawn ones. `approval` where it loosens. */
  readonly decisions: readonly { readonly decision: Decision; readonly approval: Approval | null }[]
}

export type PrincipalsPart = {
  readonly users: readonly {
    readonly id: UserId
    readonly groups: readonly GroupId[]
    readonly site: SiteId | 'unknown'
  }[]
  readonly tokens: readonly {
    readonly id: TokenId
    /** Lower-case hex SHA-256 of the whole token text. */
    readonly sha256: string
    readonly user: UserId
    readonly device: DeviceId | 'unknown'
    readonly site: SiteId | 'unknown'
    readonly expiresMs: number
    /** Restrict the token to these tools or providers; absent: any. */
    readonly providers?: readonly ProviderId[]
  }[]
  readonly devices: readonly {
    readonly id: DeviceId
    readonly user: UserId
    /** Ed25519 public key, base64 of the 32 raw bytes. */
    readonly publicKey: string
    readonly custody: Custody
    readonly levelMax: Level
  }[]
}

/** Small and pushed at once. Restricting only, so control's signature is enough. */
export type RevocationsPart = {
  readonly tokens: readonly TokenId[]
  readonly devices: readonly DeviceId[]
  readonly launches: readonly string[]
  /** Users whose every exchange is refused from now on; open streams are cut at once. */
  readonly users: readonly UserId[]
}

export type BundleParts = {
  readonly ground: GroundPart
  readonly decisions: DecisionsPart
  readonly principals: PrincipalsPart
  readonly revocations: RevocationsPart
}

/** As it is written to a file or sent: one JSON document. */
export type SealedBundle = {
  readonly manifest: BundleManifest
  /** Part name -> canonical JSON text of the part. */
  readonly parts: Readonly<Record<PartName, string>>
  /** Base64 Ed25519 over the canonical JSON of `manifest`, by control's bundle key. */
  readonly signature: string
  readonly keyId: string
}

/**
 * Pinned at install beside each gate: whose signatures count. Changed only by a new root file that
 * `threshold` of the old approvers signed.
 */
export type RootFile = {
  readonly format: 'postern-root/1'
  readonly version: number
  readonly origin: string
  readonly bundleKeys: readonly PublicKeyText[]
  readonly logKeys: readonly PublicKeyText[]
  readonly approvers: readonly (PublicKeyText & { readonly name: string })[]
  readonly threshold: number
}

export type PublicKeyText = {
  /** First 16 hex digits of SHA-256 over the 32 raw key bytes. */
  readonly keyId: string
  /** Base64 of the 32 raw Ed25519 bytes. */
  readonly publicKey: string
}

import type { ModelFamilyId, ProviderId, ToolId, VendorId } from './ids.ts'

/** What an endpoint is for. Policy speaks of purposes, the catalog maps paths to them. */
export type Purpose =
  | 'inference'
  | 'count'
  | 'models'
  | 'auth'
  | 'telemetry'
  | 'update'
  | 'other'
  | 'unknown'

/** A wire format that Postern can read, refuse and speak. `opaque`: forwarded, never read. */
export type WireFormat = 'anthropic-messages' | 'openai-responses' | 'opaque'

export type CatalogEndpoint = {
  readonly method: string
  /** Path pattern: literal segments, `:name` for one segment, a final `*` for the rest. */
  readonly path: string
  readonly purpose: Purpose
  readonly wire: WireFormat
  /** The endpoint may be upgraded to a WebSocket (then `method` is GET). */
  readonly webSocket?: boolean
}

export type CatalogProvider = {
  readonly id: ProviderId
  readonly name: string
  readonly vendor: VendorId
  /** First path segment at the base-URL door: `/anthropic/v1/messages`. */
  readonly mount: string
  /** Where the base-URL door forwards to, e.g. `https://api.anthropic.com`. */
  readonly baseUrl: string
  /** Exact hosts that the TLS door decrypts. */
  readonly hosts: readonly CatalogHost[]
  /** ISO 3166 alpha-2, where the vendor says it serves from; policy may restrict by it. */
  readonly countries: readonly string[]
  readonly endpoints: readonly CatalogEndpoint[]
  readonly source: string
}

export type CatalogHost = {
  readonly host: string
  /** `inference` hosts are strict: what is not in `endpoints` is unknown. */
  readonly role: 'inference' | 'auth' | 'telemetry' | 'update' | 'other'
  /** Shared with other services (sign-in hosts): off unless config turns it on. */
  readonly shared?: boolean
}

/** How a tool shows itself on the wire. All given parts must match. */
export type ToolIdentity = {
  /** JavaScript regular expression over the user agent; a `version` group is the release. */
  readonly userAgent?: string
  /** Header that must be there; the value is a regular expression. */
  readonly header?: { readonly name: string; readonly pattern: string }
  readonly confidence: 'claimed' | 'guessed'
  /** What an interactive session of this tool says in the same user agent, if it can be told. */
  readonly interactive?: string
  readonly source: string
}

export type CatalogTool = {
  readonly id: ToolId
  readonly name: string
  readonly vendor: VendorId
  readonly kinds: readonly ('cli' | 'editor' | 'extension' | 'desktop' | 'web')[]
  /** Package URLs without version: `pkg:npm/%40openai/codex`. */
  readonly packages: readonly string[]
  readonly providers: readonly ProviderId[]
  readonly identities: readonly ToolIdentity[]
  /** The command that starts it through Postern, shown in refusals: `postern run qwen-code`. */
  readonly start: string
  /** Lines that point the real tool at a gate; `{base}`, `{token}`, `{proxy}`, `{ca}` filled in. */
  readonly pointing: readonly string[]
  readonly source: string
}

export type CatalogModelFamily = {
  readonly id: ModelFamilyId
  readonly vendor: VendorId
  /** Regular expressions over model names, at any provider. */
  readonly aliases: readonly string[]
  readonly source: string
}

export type Catalog = {
  readonly tools: readonly CatalogTool[]
  readonly providers: readonly CatalogProvider[]
  readonly families: readonly CatalogModelFamily[]
  readonly vendors: readonly { readonly id: VendorId; readonly name: string }[]
}

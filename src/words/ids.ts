/**
 * Branded identifiers. A string becomes one of these only where it was parsed or made, so a
 * function that takes a `ToolId` cannot be handed a host name.
 */
declare const brand: unique symbol
type Id<Name extends string> = string & { readonly [brand]: Name }

/** Catalog key of an AI coding tool, kebab-case: `claude-code`, `codex`. */
export type ToolId = Id<'tool'>
/** Catalog key of who makes a tool: `anthropic`, `openai`. */
export type VendorId = Id<'vendor'>
/** Catalog key of whose API serves the model: `anthropic`, `openai`, `sample`. */
export type ProviderId = Id<'provider'>
/** Catalog key of a model family, with its aliases at every provider: `claude-sonnet`. */
export type ModelFamilyId = Id<'model-family'>
/** A person, as the company's directory names them. Never in a leaf: see `Pseudonym`. */
export type UserId = Id<'user'>
export type GroupId = Id<'group'>
/** A place with one time zone, e.g. `shanghai`. Local midnights are per site. */
export type SiteId = Id<'site'>
export type DeviceId = Id<'device'>
/** A gate worker's spool: `gate-a1b2c3/0`. Counters rise per node. */
export type NodeId = Id<'node'>
/** `ex_` + 20 base32 characters; what a refusal quotes as its reference. */
export type ExchangeId = Id<'exchange'>
/** Key of a decision in the register: `dec-claude-code-ban`. */
export type DecisionId = Id<'decision'>
/** `tok_` + base32: the public name of a gateway token, not the token. */
export type TokenId = Id<'token'>
/** `p_` + base32: a keyed, per-period pseudonym of a person or device. */
export type Pseudonym = Id<'pseudonym'>

const alphabet = 'abcdefghijklmnopqrstuvwxyz234567'

/** Lower-case base32 (RFC 4648 alphabet, no padding) of the bytes. */
export function base32(bytes: Uint8Array): string {
  let out = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      out += alphabet[(held >>> bits) & 31]
    }
    held &= (1 << bits) - 1
  }
  if (bits > 0) out += alphabet[(held << (5 - bits)) & 31]
  return out
}

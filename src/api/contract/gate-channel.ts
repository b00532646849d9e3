import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { RootFile } from '#words/bundle.ts'
import { canonicalJson } from '#words/canonical.ts'
import type { Custody } from '#words/decision.ts'
import { z } from 'zod'

/**
 * What control and gates say to each other on `run/gate.sock`.
 *
 *   GET  /v1/bundle?after=COUNTER&node=NODE   one NDJSON line per `GateMessage`, without end
 *   POST /v1/spool/NODE                       a batch of the spool; answers the sequencer's Ack
 *   POST /v1/nodes                            enrols a gate's spool key
 *
 * Anything else on that socket is 404. Whoever can open it is the owner of the home; a bundle
 * is believed for its signature alone, never for the socket it came from.
 */
export type GateMessage = BundleMessage | TimeMessage

/** `bundle` is the text of a `SealedBundle`. */
export type BundleMessage = { readonly kind: 'bundle'; readonly bundle: string }

/** Also the heartbeat: a gate that hears none for a while connects again. */
export type TimeMessage = {
  readonly kind: 'time'
  readonly ms: number
  readonly keyId: string
  /** Base64 Ed25519 over `timeText`, by the bundle key. */
  readonly signature: string
}

export const heartbeatMs = 10_000

export const enrolmentSchema = z.strictObject({
  node: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}(\/[0-9]{1,3})?$/),
  /** Ed25519, base64 of the 32 raw bytes. */
  publicKey: z.string().regex(/^[A-Za-z0-9+/]{43}=$/),
  custody: z.enum(['central', 'device-system', 'device-user'] satisfies Custody[]),
})
export type Enrolment = z.infer<typeof enrolmentSchema>

/** Bound to the log's name, so that one company's time is no other's. */
function timeText(origin: string, ms: number): Buffer {
  return Buffer.from(canonicalJson({ format: 'postern-time/1', origin, ms }))
}

export function signTime(
  origin: string,
  ms: number,
  key: { readonly keyId: string; readonly privateKey: KeyObject },
): TimeMessage {
  const signature = sign(null, timeText(origin, ms), key.privateKey).toString('base64')
  return { kind: 'time', ms, keyId: key.keyId, signature }
}

export function timeHolds(message: TimeMessage, root: RootFile): boolean {
  const key = root.bundleKeys.find((one) => one.keyId === message.keyId)
  if (key === undefined || !Number.isSafeInteger(message.ms)) return false
  const x = Buffer.from(key.publicKey, 'base64').toString('base64url')
  const publicKey = createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x } })
  const signature = Buffer.from(message.signature, 'base64')
  return verify(null, timeText(root.origin, message.ms), publicKey, signature)
}

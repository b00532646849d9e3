import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { invariant } from '#words/faults.ts'

// RFC 8410: the fixed DER head of an Ed25519 SubjectPublicKeyInfo; the 32 raw bytes follow.
const ed25519Head = Buffer.from('302a300506032b6570032100', 'hex')

/** Throws a bare `Error` when the text is not base64 of 32 bytes: callers name the document. */
export function publicKeyOf(text: string): KeyObject {
  const raw = Buffer.from(text, 'base64')
  if (raw.length !== 32 || raw.toString('base64') !== text) {
    throw new Error('an Ed25519 public key is base64 of exactly 32 bytes')
  }
  return createPublicKey({ key: Buffer.concat([ed25519Head, raw]), format: 'der', type: 'spki' })
}

/** The 32 raw bytes of the key's public half, base64. */
export function publicKeyText(key: KeyObject): string {
  invariant(key.asymmetricKeyType === 'ed25519', 'bundles and approvals are signed with Ed25519')
  const half = key.type === 'public' ? key : createPublicKey(key)
  const der = half.export({ format: 'der', type: 'spki' })
  return der.subarray(ed25519Head.length).toString('base64')
}

/** First 16 hex digits of SHA-256 over the 32 raw key bytes. */
export function keyIdOf(publicKey: string): string {
  return createHash('sha256').update(Buffer.from(publicKey, 'base64')).digest('hex').slice(0, 16)
}

export function signText(text: string, key: KeyObject): string {
  return sign(null, Buffer.from(text), key).toString('base64')
}

/** False, never a throw, on a signature of the wrong length or form. */
export function signatureHolds(text: string, signature: string, key: KeyObject): boolean {
  const bytes = Buffer.from(signature, 'base64')
  // Node accepts several spellings of the same base64; one signature has one text.
  if (bytes.length !== 64 || bytes.toString('base64') !== signature) return false
  return verify(null, Buffer.from(text), key, bytes)
}

export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

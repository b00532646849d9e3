import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
} from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Fault } from '#words/faults.ts'
import { sha256 } from './hashing.ts'

/**
 * Openings on a gate's disk can be read by control alone.
 *
 * Fails by showing nothing: whoever steals the gate's disk has ciphertext and an ephemeral public
 * key. The segment's key lives in the gate's memory until the segment is full; it is agreed between
 * an ephemeral X25519 key (RFC 7748) and control's, and drawn with HKDF-SHA-256 (RFC 5869) over
 * both public keys, so that it belongs to this segment and this reader.
 */
export type SegmentKey = { readonly key: Buffer; readonly ephemeral: string }

const ivBytes = 12
const tagBytes = 16
const rawPrefix = Buffer.from('302a300506032b656e032100', 'hex')

/** The 32 bytes of an X25519 public key (RFC 8410 SubjectPublicKeyInfo without its head). */
function rawPublic(key: KeyObject): Buffer {
  const full = key.type === 'private' ? createPublicKey(key) : key
  return full.export({ format: 'der', type: 'spki' }).subarray(rawPrefix.length)
}

function agree(privateKey: KeyObject, publicKey: KeyObject, ephemeral: Buffer, reader: Buffer) {
  const shared = diffieHellman({ privateKey, publicKey })
  const salt = Buffer.concat([ephemeral, reader])
  return Buffer.from(hkdfSync('sha256', shared, salt, 'postern-spool-openings/1', 32))
}

export function newSegmentKey(sealTo: KeyObject): SegmentKey {
  const pair = generateKeyPairSync('x25519')
  const ephemeral = rawPublic(pair.publicKey)
  return {
    key: agree(pair.privateKey, sealTo, ephemeral, rawPublic(sealTo)),
    ephemeral: ephemeral.toString('base64'),
  }
}

/** Control's side: the key of a segment from the ephemeral public key in its header. */
export function segmentKeyOf(ephemeral: string, reader: KeyObject): Buffer {
  const raw = Buffer.from(ephemeral, 'base64')
  if (raw.length !== 32) {
    throw new Fault('spool-damaged', { outward: 'A segment header has no usable key.' })
  }
  const publicKey = createPublicKey({
    key: Buffer.concat([rawPrefix, raw]),
    format: 'der',
    type: 'spki',
  })
  return agree(reader, publicKey, raw, rawPublic(reader))
}

/** Names control's key in a header without giving it away. */
export function readerId(sealTo: KeyObject): string {
  return sha256(rawPublic(sealTo)).toString('hex').slice(0, 16)
}

/** iv (12) || ciphertext || tag (16), AES-256-GCM with `about` as associated data. */
export function seal(key: Buffer, iv: Buffer, plain: Uint8Array, about: string): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, iv)
  cipher.setAAD(Buffer.from(about))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** Throws `spool-damaged` when a byte of it was changed or the key is another one. */
export function unseal(key: Buffer, sealed: Buffer, about: string): Buffer {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), {
      authTagLength: tagBytes,
    })
    decipher.setAAD(Buffer.from(about))
    decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
    return Buffer.concat([
      decipher.update(sealed.subarray(ivBytes, sealed.length - tagBytes)),
      decipher.final(),
    ])
  } catch (cause) {
    throw new Fault('spool-damaged', { outward: 'A sealed opening does not open.', cause })
  }
}

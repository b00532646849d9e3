import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Fault } from '#words/faults.ts'
import { sha256 } from './hashing.ts'

/**
 * C2SP signed-note: a text and the signatures below it.
 *
 * Fails closed: a note counts for nothing until `verifyNote` named the keys that signed it. A line
 * of a key that we know but that does not verify spoils the whole note; a line of a stranger is
 * passed over.
 */
export type SignatureLine = {
  readonly name: string
  /** The 4-byte key id in front of the signature. */
  readonly keyId: number
  readonly signature: Buffer
}

export type Note = { readonly text: string; readonly lines: readonly SignatureLine[] }

/** Type bytes of signed-note: a log's own signature, and a witness' cosignature/v1. */
export const ed25519Type = 0x01
export const cosignatureType = 0x04

export type VerifierKey = {
  readonly name: string
  readonly keyId: number
  readonly type: typeof ed25519Type | typeof cosignatureType
  readonly key: KeyObject
}

const linesMax = 64
const noteBytesMax = 64 * 1024
// Of the spec: a name has neither Unicode spaces nor a plus.
const namePattern = /^[^\s+\p{White_Space}]{1,200}$/u
const rawPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** The 32 bytes of an Ed25519 public key (RFC 8032). */
export function rawEd25519(key: KeyObject): Buffer {
  const full = key.type === 'private' ? createPublicKey(key) : key
  return full.export({ format: 'der', type: 'spki' }).subarray(rawPrefix.length)
}

export function ed25519FromRaw(raw: Buffer): KeyObject {
  return createPublicKey({ key: Buffer.concat([rawPrefix, raw]), format: 'der', type: 'spki' })
}

function keyIdOf(name: string, type: number, raw: Buffer): number {
  return sha256(Buffer.concat([Buffer.from(`${name}\n`), Buffer.of(type), raw])).readUInt32BE(0)
}

/** `<name>+<key id>+base64(type || key)`: how a log or witness tells its key. */
export function verifierKeyText(
  name: string,
  key: KeyObject,
  type: VerifierKey['type'] = ed25519Type,
): string {
  const raw = rawEd25519(key)
  const id = keyIdOf(name, type, raw).toString(16).padStart(8, '0')
  return `${name}+${id}+${Buffer.concat([Buffer.of(type), raw]).toString('base64')}`
}

/** Throws `log-invalid` for a key that is cut, of another type, or has another id than it says. */
export function parseVerifierKey(text: string): VerifierKey {
  const [name, id, ...rest] = text.trim().split('+')
  const bytes = Buffer.from(rest.join('+'), 'base64')
  const type = bytes[0]
  if (
    name === undefined ||
    id === undefined ||
    !namePattern.test(name) ||
    !/^[0-9a-f]{8}$/.test(id) ||
    bytes.length !== 33 ||
    (type !== ed25519Type && type !== cosignatureType) ||
    keyIdOf(name, type, bytes.subarray(1)) !== Number.parseInt(id, 16)
  ) {
    throw new Fault('log-invalid', { outward: 'This is not a verifier key of a log or witness.' })
  }
  const keyId = Number.parseInt(id, 16)
  return { name, keyId, type, key: ed25519FromRaw(bytes.subarray(1)) }
}

/** Reads a note without believing it. Throws `log-invalid`. */
export function parseNote(source: string): Note {
  const bad = (why: string) => new Fault('log-invalid', { outward: `Not a signed note: ${why}.` })
  if (source.length > noteBytesMax) throw bad('it is too long')
  if (hasControlCharacters(source)) throw bad('it has control characters')
  // The text is separated from the signatures by the last empty line.
  const split = source.lastIndexOf('\n\n')
  if (split < 0 || !source.endsWith('\n')) throw bad('there are no signatures')
  const text = source.slice(0, split + 1)
  const rows = source.slice(split + 2, -1).split('\n')
  if (rows.length > linesMax) throw bad('it has too many signatures')
  return { text, lines: rows.map((row) => parseSignatureLine(row) ?? throwIt(bad('a bad line'))) }
}

function hasControlCharacters(text: string): boolean {
  return /[\u0000-\u0009\u000b-\u001f]/.test(text) || text.includes('\ufffd')
}

function throwIt(fault: Fault): never {
  throw fault
}

export function parseSignatureLine(row: string): SignatureLine | null {
  const match = /^— (\S+) ([A-Za-z0-9+/]+={0,2})$/.exec(row)
  const [, name, encoded] = match ?? []
  if (name === undefined || encoded === undefined || !namePattern.test(name)) return null
  const bytes = Buffer.from(encoded, 'base64')
  if (bytes.length < 5 || bytes.toString('base64') !== encoded) return null
  return { name, keyId: bytes.readUInt32BE(0), signature: bytes.subarray(4) }
}

export function signatureLine(name: string, keyId: number, signature: Buffer): string {
  const id = Buffer.alloc(4)
  id.writeUInt32BE(keyId)
  return `— ${name} ${Buffer.concat([id, signature]).toString('base64')}\n`
}

export function signNote(text: string, name: string, privateKey: KeyObject): string {
  const signature = sign(null, Buffer.from(text), privateKey)
  return `${text}\n${signatureLine(name, keyIdOf(name, ed25519Type, rawEd25519(privateKey)), signature)}`
}

/** A cosignature/v1 line (C2SP tlog-cosignature): the witness says what it saw and when. */
export function cosign(
  text: string,
  name: string,
  privateKey: KeyObject,
  atSeconds: number,
): string {
  const stamp = Buffer.alloc(8)
  stamp.writeBigUInt64BE(BigInt(atSeconds))
  const signature = sign(null, cosignedMessage(text, BigInt(atSeconds)), privateKey)
  const keyId = keyIdOf(name, cosignatureType, rawEd25519(privateKey))
  return signatureLine(name, keyId, Buffer.concat([stamp, signature]))
}

function cosignedMessage(text: string, atSeconds: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${atSeconds}\n${text}`)
}

export type Signed = {
  readonly key: VerifierKey
  /** When a witness cosigned, epoch seconds; 0 for a log's own signature. */
  readonly atSeconds: number
}

/**
 * Which of `keys` signed the note. A known key whose signature does not verify: throws
 * `log-invalid`, since somebody changed the text or the signature.
 */
export function verifyNote(note: Note, keys: readonly VerifierKey[]): Signed[] {
  const signed: Signed[] = []
  for (const line of note.lines) {
    const key = keys.find((known) => known.name === line.name && known.keyId === line.keyId)
    if (!key || signed.some((other) => other.key === key)) continue
    const at = signatureTime(note.text, line.signature, key)
    if (at === null) {
      throw new Fault('log-invalid', { outward: `The signature of ${key.name} does not verify.` })
    }
    signed.push({ key, atSeconds: at })
  }
  return signed
}

function signatureTime(text: string, signature: Buffer, { type, key }: VerifierKey): number | null {
  if (type === ed25519Type) return verify(null, Buffer.from(text), key, signature) ? 0 : null
  if (signature.length !== 72) return null
  const at = signature.readBigUInt64BE(0)
  const holds = verify(null, cosignedMessage(text, at), key, signature.subarray(8))
  return holds ? Number(at) : null
}

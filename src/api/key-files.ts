import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { NodeId } from '#words/ids.ts'
import { Fault } from '#words/faults.ts'
import { privateDirectory, writeDurably } from './durable-file.ts'

/**
 * The one file that reads keys. Each lies in `keys/ROLE-KEYID.key`, mode 0600, owned by whoever
 * runs Postern; a key that others may read is refused, not used. Key text never leaves this file:
 * callers get key objects, and every fault names the path alone.
 */
export type KeyRole = 'bundle' | 'log' | 'sealing' | 'pseudonym' | 'at-rest' | 'approver'

export const signingRoles = ['bundle', 'log', 'approver'] as const

export type SigningKey = {
  /** First 16 hex digits of SHA-256 over the raw public key. */
  readonly keyId: string
  /** Base64 of the 32 raw public bytes. */
  readonly publicKey: string
  readonly privateKey: KeyObject
}

export type ControlKeys = {
  readonly bundle: SigningKey
  readonly log: SigningKey
  readonly sealing: { readonly keyId: string; readonly privateKey: KeyObject }
  readonly pseudonym: { readonly keyId: string; readonly secret: Buffer }
  /** AES-256: the blob stores (openings, subject keys). Losing it erases all openings. */
  readonly atRest: { readonly keyId: string; readonly secret: Buffer }
  /** Control is a node of its own log. */
  readonly node: SigningKey
}

/** Control's name as a node: it writes its own entries the way a gate does. */
export const controlNode = 'control' as NodeId

/** What a gate on this machine may read: its own key, and what it seals and pseudonymises with. */
export type GateKeys = {
  readonly node: SigningKey
  readonly sealTo: KeyObject
  readonly pseudonym: { readonly keyId: string; readonly secret: Buffer }
}

export function openControlKeys(keys: string): ControlKeys {
  const sealing = findKeyFile(keys, 'sealing')
  return {
    bundle: readSigningKey(keys, 'bundle'),
    log: readSigningKey(keys, 'log'),
    sealing: { keyId: idOf(sealing), privateKey: parsePrivate(sealing) },
    pseudonym: readSecret(keys, 'pseudonym'),
    atRest: readSecret(keys, 'at-rest'),
    node: openNodeKey(join(keys, 'nodes'), controlNode),
  }
}

/** Makes the node's key at its first start; `node` is a name like `gate-a1b2c3/0`. */
export function openGateKeys(keys: string, node: NodeId): GateKeys {
  const sealing = readdirSync(keys).find((name) => /^sealing-[0-9a-f]{16}\.pub$/.test(name))
  if (sealing === undefined) throw missing(keys, 'sealing')
  const raw = Buffer.from(readFileSync(join(keys, sealing), 'utf8'), 'base64')
  return {
    node: openNodeKey(join(keys, 'nodes'), node),
    sealTo: createPublicKey({
      format: 'jwk',
      key: { kty: 'OKP', crv: 'X25519', x: raw.toString('base64url') },
    }),
    pseudonym: readSecret(keys, 'pseudonym'),
  }
}

export function readSigningKey(keys: string, role: (typeof signingRoles)[number]): SigningKey {
  return signingKey(findKeyFile(keys, role))
}

/** `key-missing` when there is none, or more than one and nothing to choose by. */
export function findKeyFile(keys: string, role: KeyRole): string
export function findKeyFile(keys: string, role: KeyRole, when: 'may-be-missing'): string | null
export function findKeyFile(keys: string, role: KeyRole, when?: 'may-be-missing'): string | null {
  const pattern = new RegExp(`^${role}-[0-9a-f]{16}\\.key$`)
  const names = readNames(keys).filter((name) => pattern.test(name))
  if (names.length === 0 && when === 'may-be-missing') return null
  if (names.length !== 1 || names[0] === undefined) throw missing(keys, role, names.length)
  return join(keys, names[0])
}

export function writeKey(keys: string, role: string, keyId: string, text: string): void {
  writeDurably(join(keys, `${role}-${keyId}.key`), text, 0o600)
}

/** What is wrong with a key file's place in the file system, in words; null when nothing is. */
export function keyFileComplaint(path: string): string | null {
  const stat = lstatSync(path)
  if (!stat.isFile()) return 'it is not a plain file'
  if ((stat.mode & 0o077) !== 0) {
    return `its mode is ${(stat.mode & 0o777).toString(8)}; it must be 600`
  }
  const self = process.getuid?.()
  if (self !== undefined && stat.uid !== self && stat.uid !== 0) {
    return `it belongs to uid ${stat.uid}, not to ${self}`
  }
  return null
}

function openNodeKey(directory: string, node: NodeId): SigningKey {
  privateDirectory(directory)
  const path = join(directory, `${node.replaceAll('/', '_')}.key`)
  try {
    return signingKey(path)
  } catch (error) {
    const cause = error instanceof Fault ? error.cause : undefined
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ENOENT')) throw error
  }
  const { privateKey } = generateKeyPairSync('ed25519')
  writeDurably(path, privateKey.export({ format: 'pem', type: 'pkcs8' }))
  return signingKey(path)
}

function signingKey(path: string): SigningKey {
  const privateKey = parsePrivate(path)
  const raw = createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32)
  const keyId = createHash('sha256').update(raw).digest('hex').slice(0, 16)
  return { keyId, publicKey: raw.toString('base64'), privateKey }
}

function readSecret(
  keys: string,
  role: 'pseudonym' | 'at-rest',
): { keyId: string; secret: Buffer } {
  const path = findKeyFile(keys, role)
  const secret = Buffer.from(readPrivate(path), 'base64')
  if (secret.length !== 32) throw new Fault('key-missing', { outward: `${path} is damaged.` })
  return { keyId: idOf(path), secret }
}

function parsePrivate(path: string): KeyObject {
  const text = readPrivate(path)
  try {
    return createPrivateKey(text)
  } catch (cause) {
    throw new Fault('key-missing', { outward: `The key ${path} is damaged.`, cause })
  }
}

/** Never quotes what it read. */
function readPrivate(path: string): string {
  let complaint: string | null
  let text: string
  try {
    complaint = keyFileComplaint(path)
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new Fault('key-missing', { outward: `The key ${path} cannot be read.`, cause })
  }
  if (complaint !== null) {
    throw new Fault('key-missing', { outward: `The key ${path} is not used: ${complaint}.` })
  }
  return text
}

function readNames(keys: string): string[] {
  try {
    return readdirSync(keys)
  } catch (cause) {
    throw new Fault('key-missing', { outward: `There is no key folder at ${keys}.`, cause })
  }
}

function idOf(path: string): string {
  return basename(path, '.key').slice(-16)
}

function missing(keys: string, role: KeyRole, found = 0): Fault {
  return new Fault('key-missing', {
    outward: `${keys} holds ${found === 0 ? 'no' : found} ${role} key${found > 1 ? 's' : ''}.`,
  })
}

import { createHash, generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { base32 } from '#words/ids.ts'
import type { PublicKeyText, RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import { privateDirectory, writeDurably } from './durable-file.ts'
import { findKeyFile, readSigningKey, signingRoles, writeKey } from './key-files.ts'
import type { KeyRole } from './key-files.ts'
import { takeLock } from '#store/lock.ts'

const controlRoles = ['bundle', 'log', 'sealing', 'pseudonym', 'at-rest'] as const

/** Where everything lies below `--home`. Nothing is written outside it. */
export type HomePaths = ReturnType<typeof homePaths>

export function homePaths(home: string) {
  return {
    home,
    root: join(home, 'root.json'),
    keys: join(home, 'keys'),
    run: join(home, 'run'),
    controlSocket: join(home, 'run', 'control.sock'),
    gateSocket: join(home, 'run', 'gate.sock'),
    controlLock: join(home, 'run', 'control.lock'),
    /** Where the status page and its link can be found while control runs; mode 0600. */
    addresses: join(home, 'run', 'addresses.json'),
    bundle: join(home, 'bundle', 'current.json'),
    bundleCounter: join(home, 'bundle', 'counter.json'),
    log: join(home, 'log'),
    blob: join(home, 'blob'),
    controlSpool: join(home, 'control-spool'),
    nodes: join(home, 'nodes.json'),
    auditors: join(home, 'auditors.json'),
    spool: join(home, 'spool'),
    store: join(home, 'store'),
    register: join(home, 'register'),
    logs: join(home, 'logs'),
    ca: join(home, 'ca'),
  } as const
}

export type Made = {
  /** Whether this call made the home (false: it was there). */
  readonly fresh: boolean
  readonly paths: HomePaths
  readonly root: RootFile
  /** Role and public id of each key that this call made; never the key. */
  readonly keysMade: readonly { readonly role: KeyRole; readonly keyId: string }[]
}

/**
 * Makes keys and the pinned root file at first start; afterwards it changes nothing.
 *
 * Throws `key-missing` when `root.json` is there but a key that it names is not: a new key in its
 * place would make a second log under the same name, and every gate would refuse the bundles.
 * The root file is written last, so a start that broke off is finished by the next one.
 *
 * `sample` adds an approver whose key lies beside the others. Real approvers keep theirs
 * elsewhere and hand in public keys; a home without any can tighten but never loosen.
 */
export function makeHome(input: {
  readonly home: string
  readonly world: World
  readonly sample: boolean
  /** Name of the log from its first entry on: host-like, no spaces (C2SP tlog-checkpoint). */
  readonly origin?: string
  readonly approvers?: RootFile['approvers']
  readonly threshold?: number
}): Made {
  const paths = homePaths(input.home)
  for (const path of [input.home, paths.keys, paths.run, join(input.home, 'bundle')]) {
    privateDirectory(path)
  }
  using _lock = takeLock(join(paths.run, 'home.lock'))
  if (existsSync(paths.root)) {
    const root = readRoot(input.home)
    for (const role of controlRoles) {
      findKeyFile(paths.keys, role)
    }
    return { fresh: false, paths, root, keysMade: [] }
  }

  const keysMade: { role: KeyRole; keyId: string }[] = []
  const roles: KeyRole[] = [...controlRoles]
  if (input.sample) roles.push('approver')
  for (const role of roles) {
    if (findKeyFile(paths.keys, role, 'may-be-missing') !== null) continue
    keysMade.push({ role, keyId: makeKey(paths.keys, role, input.world) })
  }
  const sampleApprovers = input.sample
    ? [{ ...publicText(paths.keys, 'approver'), name: 'sample-approver' }]
    : []
  const root: RootFile = {
    format: 'postern-root/1',
    version: 1,
    origin: input.origin ?? `postern.invalid/log-${base32(input.world.randomBytes(5))}`,
    bundleKeys: [publicText(paths.keys, 'bundle')],
    logKeys: [publicText(paths.keys, 'log')],
    approvers: [...sampleApprovers, ...(input.approvers ?? [])],
    threshold: input.threshold ?? 1,
  }
  writeDurably(paths.root, `${JSON.stringify(root, null, 2)}\n`)
  return { fresh: true, paths, root, keysMade }
}

/** Throws `key-missing` when this is no home yet. */
export function readRoot(home: string): RootFile {
  const path = homePaths(home).root
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new Fault('key-missing', { outward: `There is no root file at ${path}.`, cause: error })
  }
  const root = JSON.parse(text) as RootFile
  if (root.format !== 'postern-root/1' || !Array.isArray(root.bundleKeys)) {
    throw new Fault('key-missing', { outward: `${path} is not a root file of format 1.` })
  }
  return root
}

function publicText(keys: string, role: (typeof signingRoles)[number]): PublicKeyText {
  const { keyId, publicKey } = readSigningKey(keys, role)
  return { keyId, publicKey }
}

function makeKey(keys: string, role: KeyRole, world: World): string {
  if (role === 'pseudonym' || role === 'at-rest') {
    const secret = world.randomBytes(32)
    const keyId = createHash('sha256').update(role).update(secret).digest('hex').slice(0, 16)
    writeKey(keys, role, keyId, `${secret.toString('base64')}\n`)
    return keyId
  }
  const pair = role === 'sealing' ? generateKeyPairSync('x25519') : generateKeyPairSync('ed25519')
  const raw = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
  const keyId = createHash('sha256').update(raw).digest('hex').slice(0, 16)
  writeKey(keys, role, keyId, pair.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string)
  if (role === 'sealing') {
    // Gates seal with this half and need no other key of control.
    writeDurably(join(keys, `sealing-${keyId}.pub`), `${raw.toString('base64')}\n`)
  }
  return keyId
}

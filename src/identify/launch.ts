import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { PrincipalsPart } from '#words/bundle.ts'
import type { Level } from '#words/decision.ts'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { BoundedMap } from './bounded-map.ts'

/** What the launcher says of one start of one tool. Times in whole seconds since the epoch. */
export type LaunchClaims = {
  readonly v: 1
  readonly launch: string
  readonly device: string
  readonly user: string
  readonly tool: string
  readonly version: string
  /** Lower-case hex SHA-512 of the release's bytes, where the launcher measured it. */
  readonly sha512?: string
  readonly level: Level
  readonly repository?: string
  readonly classification?: string
  readonly site?: string
  readonly iat: number
  readonly exp: number
  /** Origin of the log whose gates may take it: worthless to another company's gate. */
  readonly aud: string
}

export type DeviceRow = PrincipalsPart['devices'][number]
export type Launch = { readonly claims: LaunchClaims; readonly device: DeviceRow }

/** Signs a launch credential (compact JWS, RFC 7515, EdDSA by RFC 8037) behind the mark `psl_`. */
export function signLaunch(claims: LaunchClaims, deviceKey: KeyObject): string {
  const header = { alg: 'EdDSA', typ: 'psl', kid: claims.device }
  const signed = `${base64url(header)}.${base64url(claims)}`
  return `psl_${signed}.${sign(null, Buffer.from(signed), deviceKey).toString('base64url')}`
}

function base64url(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

/**
 * Opens launch credentials offline, with the device keys of one bundle.
 *
 * Fails with `launch-invalid` on anything but a signature by the very device that the claims name,
 * over claims of the right shape, made for this log, whose user is the device's own: an enrolled
 * device must not speak for another person. Dates and revocations are not looked at here but on
 * every request, because a signature that was good stays good and those do not.
 *
 * A credential is a bearer's: who steals it from a machine can use it until `exp`. It is bound to
 * a tool, a user and a log, one launch name to one device, and is cut by revocation.
 */
export function launchDesk(
  devices: readonly DeviceRow[],
  origin: string,
): { open(text: string): Launch } {
  const byId = new Map(devices.map((device) => [device.id as string, device]))
  const keys = new BoundedMap<string, KeyObject>(limits.credentialsCachedMax)
  const opened = new BoundedMap<string, Launch>(limits.credentialsCachedMax)
  const deviceOf = new BoundedMap<string, string>(limits.credentialsCachedMax)

  const keyOf = (device: DeviceRow): KeyObject => {
    const held = keys.get(device.id)
    if (held !== undefined) return held
    const key = createPublicKey({
      key: {
        kty: 'OKP',
        crv: 'Ed25519',
        x: Buffer.from(device.publicKey, 'base64').toString('base64url'),
      },
      format: 'jwk',
    })
    keys.set(device.id, key)
    return key
  }

  return {
    open(text) {
      const held = opened.get(text)
      if (held !== undefined) return held
      const [header = '', payload = '', signature = ''] = text.slice(4).split('.')
      const device = byId.get(deviceNamedBy(header))
      if (device === undefined) throw invalid('its device is not enrolled')
      const bytes = exactly(signature)
      const signed = Buffer.from(`${header}.${payload}`)
      if (bytes.length !== 64 || !verify(null, signed, keyOf(device), bytes)) {
        throw invalid('its signature is not the device’s')
      }
      const claims = readClaims(json(payload))
      if (claims.device !== device.id) throw invalid('it names another device than its signer')
      if (claims.user !== device.user) throw invalid('its device belongs to another person')
      if (claims.aud !== origin) throw invalid('it was made for other gates')
      const first = deviceOf.get(claims.launch)
      if (first !== undefined && first !== claims.device) {
        throw invalid('another device uses this launch')
      }
      deviceOf.set(claims.launch, claims.device)
      const launch = { claims, device }
      opened.set(text, launch)
      return launch
    },
  }
}

/** The header is one of exactly one shape: no `alg` to choose, no key to bring along. */
function deviceNamedBy(header: string): string {
  const value = json(header)
  const { alg, typ, kid } = value
  if (alg !== 'EdDSA' || typ !== 'psl' || typeof kid !== 'string') throw invalid('its header')
  if (Object.keys(value).length !== 3) throw invalid('its header says too much')
  return kid
}

const levels: readonly Level[] = ['none', 'L0', 'L1', 'L2', 'L3']
const texts = ['launch', 'device', 'user', 'tool', 'version', 'aud'] as const
const optionalTexts = ['sha512', 'repository', 'classification', 'site'] as const
const known = new Set<string>([...texts, ...optionalTexts, 'v', 'level', 'iat', 'exp'])

function readClaims(value: Record<string, unknown>): LaunchClaims {
  for (const name of Object.keys(value)) if (!known.has(name)) throw invalid('an unknown claim')
  if (value['v'] !== 1) throw invalid('its format is newer than this gate')
  for (const name of texts) {
    const text = value[name]
    if (typeof text !== 'string' || text === '' || text.length > 256) throw invalid(name)
  }
  for (const name of optionalTexts) {
    const text = value[name]
    if (text !== undefined && (typeof text !== 'string' || text.length > 512)) throw invalid(name)
  }
  if (!levels.includes(value['level'] as Level)) throw invalid('level')
  const { sha512, iat, exp } = value
  if (sha512 !== undefined && !/^[0-9a-f]{128}$/.test(sha512 as string)) throw invalid('sha512')
  if (!Number.isSafeInteger(iat) || !Number.isSafeInteger(exp)) throw invalid('its dates')
  const seconds = (exp as number) - (iat as number)
  if (seconds <= 0 || seconds > limits.launchCredentialSecondsMax) throw invalid('its duration')
  return value as LaunchClaims
}

function json(part: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(exactly(part)))
  } catch {
    throw invalid('it could not be read')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('it could not be read')
  }
  return value as Record<string, unknown>
}

/** base64url has one spelling here: unused bits set differently would be a second credential. */
function exactly(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') !== text) throw invalid('its encoding')
  return bytes
}

function invalid(detail: string): Fault {
  return new Fault('launch-invalid', {
    outward: 'The credential of this launch does not hold.',
    inward: `launch credential: ${detail}`,
  })
}

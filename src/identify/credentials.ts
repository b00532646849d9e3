import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'

/** A Postern credential as it was found: a gateway token, or the credential of one launch. */
export type Found = {
  readonly kind: 'token' | 'launch'
  readonly text: string
  /** Lower-case names of headers that are ours and end at the gate. */
  readonly strip: readonly string[]
}

/** Prefix of headers that clients say to the gate alone: they end here, whatever they hold. */
const ownHeaderPrefix = 'x-postern-'

/**
 * Finds the one Postern credential of a request.
 *
 * Fails with `token-missing`, or with `token-malformed` when a credential cannot be one of ours or
 * when two different ones stand in the request: whoever holds two must not choose, by their order,
 * in whose name the request is recorded. No fault quotes a value.
 *
 * Headers that carry somebody else's credential (a provider's key or an OAuth bearer) are left
 * alone: they are not looked at beyond their first four characters and are not in `strip`.
 *
 * @param proxyCredential what the CONNECT of the surrounding tunnel carried: the value of its
 *   `proxy-authorization`, or the bare credential.
 */
export function findCredential(
  rawHeaders: readonly string[],
  proxyCredential: string | undefined,
): Found {
  let text: string | null = null
  let strip: string[] | null = null
  const take = (candidate: string): void => {
    if (text !== null && text !== candidate) {
      throw malformed('Two different Postern credentials came with this request.')
    }
    text = candidate
  }
  if (proxyCredential !== undefined) take(ofProxy(proxyCredential))
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (!mayBeOurs(name.length, name.charCodeAt(0) | 0x20)) continue
    const lower = name.toLowerCase()
    const own = credentialIn(lower, rawHeaders[at + 1] as string)
    if (own === null) continue
    strip ??= []
    if (!strip.includes(lower)) strip.push(lower)
    if (own !== '') take(own)
  }
  if (text === null) {
    throw new Fault('token-missing', { outward: 'The request carries no Postern credential.' })
  }
  return checked(text, strip ?? nothingToStrip)
}

const nothingToStrip: readonly string[] = []

/** By length and first letter, so that most headers are passed over without a new string. */
function mayBeOurs(length: number, first: number): boolean {
  switch (first) {
    case 0x61: // authorization, api-key
      return length === 13 || length === 7
    case 0x70: // proxy-authorization
      return length === 19
    case 0x78: // x-api-key, x-goog-api-key, x-postern-…
      return length > ownHeaderPrefix.length || length === 9
    default:
      return false
  }
}

/** The credential in a header; `''` when the header is ours without one; null when it is not ours. */
function credentialIn(name: string, value: string): string | null {
  switch (name) {
    case 'x-postern-token':
      return bearer(value.trim())
    case 'authorization': {
      const token = bearer(value.trim())
      return isOurs(token) ? token : null
    }
    case 'proxy-authorization':
      return ofProxy(value)
    case 'x-api-key':
    case 'x-goog-api-key':
    case 'api-key': {
      const key = value.trim()
      return isOurs(key) ? key : null
    }
    default:
      return name.startsWith(ownHeaderPrefix) ? '' : null
  }
}

function bearer(value: string): string {
  return value.length > 7 && value[6] === ' ' && value.slice(0, 6).toLowerCase() === 'bearer'
    ? value.slice(7).trimStart()
    : value
}

/** RFC 7617 Basic (`user:token`, or `token:` where a tool fills in only the user) or Bearer. */
function ofProxy(value: string): string {
  const trimmed = value.trim()
  if (trimmed.slice(0, 6).toLowerCase() !== 'basic ') return bearer(trimmed)
  if (trimmed.length > 2 * limits.launchCredentialBytesMax) {
    throw malformed('The proxy credential is too long.')
  }
  const pair = Buffer.from(trimmed.slice(6).trim(), 'base64').toString('latin1')
  const colon = pair.indexOf(':')
  const user = colon < 0 ? pair : pair.slice(0, colon)
  const password = colon < 0 ? '' : pair.slice(colon + 1)
  if (isOurs(password)) {
    if (isOurs(user) && user !== password) {
      throw malformed('Two different Postern credentials came with this request.')
    }
    return password
  }
  return user
}

function isOurs(text: string): boolean {
  return text.startsWith('pst_') || text.startsWith('psl_')
}

const tokenShape = /^pst_[a-z2-7]{52}$/
const launchShape = /^psl_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

function checked(text: string, strip: readonly string[]): Found {
  if (text.startsWith('pst_') && text.length <= limits.tokenBytesMax && tokenShape.test(text)) {
    return { kind: 'token', text, strip }
  }
  if (
    text.startsWith('psl_') &&
    text.length <= limits.launchCredentialBytesMax &&
    launchShape.test(text)
  ) {
    return { kind: 'launch', text, strip }
  }
  throw malformed('The Postern credential of this request could not be read.')
}

function malformed(outward: string): Fault {
  return new Fault('token-malformed', { outward })
}

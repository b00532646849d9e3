import { invariant } from './faults.ts'

/**
 * JSON with one spelling (RFC 8785, JCS): keys sorted by UTF-16 code unit, no white space. What is
 * signed or hashed is always this text.
 *
 * Throws on values that JSON cannot say (NaN, Infinity, functions, symbols); `undefined` members
 * are left out.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') {
    return JSON.stringify(value)
  }
  if (typeof value === 'number') {
    invariant(Number.isFinite(value), 'canonical JSON has finite numbers')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) {
    return `[${value.map((item) => canonicalJson(item === undefined ? null : item)).join(',')}]`
  }
  invariant(typeof value === 'object', `canonical JSON cannot say a ${typeof value}`)
  const members: string[] = []
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key]
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`)
  }
  return `{${members.join(',')}}`
}

import { createHash } from 'node:crypto'
import type { PrincipalsPart } from '#words/bundle.ts'
import { Fault } from '#words/faults.ts'
import { base32 } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import { BoundedMap } from './bounded-map.ts'

export type TokenRow = PrincipalsPart['tokens'][number]

/** 32 random bytes as a token: `pst_` and 52 base32 letters. Only its SHA-256 is ever stored. */
export function tokenText(bytes: Uint8Array): string {
  return `pst_${base32(bytes)}`
}

/** Lower-case hex SHA-256 of a whole token text, as the bundle lists it. */
export function tokenHash(text: string): string {
  return createHash('sha256').update(text, 'latin1').digest('hex')
}

/**
 * Looks tokens up by the hash of their text.
 *
 * Fails with `token-unknown`. An unknown token costs one hash and one look-up, whatever it is, and
 * the look-up compares hashes, so time tells a guesser nothing of a token that exists. Only tokens
 * that are known are remembered by their text: a stranger cannot push them out.
 */
export function tokenTable(rows: readonly TokenRow[]): { get(text: string): TokenRow } {
  const byHash = new Map(rows.map((row) => [row.sha256, row]))
  const hot = new BoundedMap<string, TokenRow>(limits.credentialsCachedMax)
  return {
    get(text) {
      const known = hot.get(text)
      if (known !== undefined) return known
      const row = byHash.get(tokenHash(text))
      if (row === undefined) {
        throw new Fault('token-unknown', { outward: 'This Postern token is not known here.' })
      }
      hot.set(text, row)
      return row
    },
  }
}

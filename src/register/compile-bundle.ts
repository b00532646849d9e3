import type { KeyObject } from 'node:crypto'
import { sealBundle } from '#decide/bundle.ts'
import type { BundleParts, SealedBundle } from '#words/bundle.ts'
import { Fault } from '#words/faults.ts'
import type { RegisterState } from './ledger.ts'

/**
 * The parts of the bundle that follow from a state of the register. The ground (catalog, policies,
 * sites) is the one that approvers signed, not what lies in the files by now.
 *
 * Throws `register-invalid` while nothing was applied yet: gates then keep the bundle they have.
 * Sorted throughout, so that the same state gives the same digests on every machine.
 */
export function compileParts(state: RegisterState, nowMs: number): BundleParts {
  const { ground } = state
  if (ground === null) {
    throw new Fault('register-invalid', {
      outward: 'The register is empty: nothing was applied yet. Run `postern register apply`.',
    })
  }
  const byId = (a: { readonly id: string }, b: { readonly id: string }): number =>
    a.id < b.id ? -1 : a.id > b.id ? 1 : 0
  return {
    ground,
    decisions: {
      decisions: [...state.decisions.values()]
        .map(({ decision, approval }) => ({ decision, approval }))
        .sort((a, b) => byId(a.decision, b.decision)),
    },
    principals: {
      users: [...state.users].sort(byId),
      tokens: [...state.tokens.values()]
        // An expired or revoked token is kept until its expiry, so that the person reads why.
        .filter((token) => token.expiresMs > nowMs - expiredKeptMs)
        .map(({ tool: _tool, issuedAtMs: _issued, revokedAtMs: _revoked, ...token }) => token)
        .sort(byId),
      devices: [...state.devices.values()]
        .map(({ enrolledAtMs: _enrolled, revokedAtMs: _revoked, ...device }) => device)
        .sort(byId),
    },
    revocations: {
      tokens: [...state.tokens.values()]
        .filter(isRevoked)
        .map((token) => token.id)
        .sort(),
      devices: [...state.devices.values()]
        .filter(isRevoked)
        .map((device) => device.id)
        .sort(),
      launches: [...state.launchesRevoked].sort(),
      users: [...state.usersRevoked].sort(),
    },
  }
}

/** The signed compilation of a state of the register. */
export function compileBundle(
  state: RegisterState,
  input: {
    readonly origin: string
    readonly counter: number
    readonly issuedAtMs: number
    readonly validUntilMs: number
    readonly key: { readonly keyId: string; readonly privateKey: KeyObject }
  },
): SealedBundle {
  const { key, ...head } = input
  return sealBundle({ ...head, parts: compileParts(state, input.issuedAtMs) }, key)
}

const expiredKeptMs = 30 * 24 * 3_600_000

function isRevoked(held: { readonly revokedAtMs: number | null }): boolean {
  return held.revokedAtMs !== null
}

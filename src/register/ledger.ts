import type { GroundPart } from '#words/bundle.ts'
import type { Approval, Decision } from '#words/decision.ts'
import type { DecisionId, DeviceId, TokenId, UserId } from '#words/ids.ts'
import { unreachable } from '#words/faults.ts'
import type { LedgerLine, RegisterDevice, RegisterToken, RegisterUser } from './events.ts'

export type HeldDecision = {
  readonly decision: Decision
  readonly approval: Approval | null
  /** When the register first knew a decision of this id, and when this wording of it. */
  readonly firstKnownAtMs: number
  readonly knownAtMs: number
  /** Digest of the ledger line, as it stands in the log. */
  readonly entry: string
}

export type HeldToken = RegisterToken & {
  readonly tool: string | null
  readonly issuedAtMs: number
  readonly revokedAtMs: number | null
}

export type HeldDevice = RegisterDevice & {
  readonly enrolledAtMs: number
  readonly revokedAtMs: number | null
}

export type RegisterState = {
  readonly decisions: ReadonlyMap<DecisionId, HeldDecision>
  readonly ground: GroundPart | null
  readonly users: readonly RegisterUser[]
  readonly tokens: ReadonlyMap<TokenId, HeldToken>
  readonly devices: ReadonlyMap<DeviceId, HeldDevice>
  readonly launchesRevoked: readonly string[]
  readonly usersRevoked: readonly UserId[]
  /** Transaction time of the last event that counts; 0 for an empty register. */
  readonly knownAtMs: number
}

export type Projection = {
  take(line: LedgerLine): void
  state(): RegisterState
}

/** The state after the events, as it was known at `asKnownAtMs` (by default: now). */
export function project(
  lines: Iterable<LedgerLine>,
  asKnownAtMs: number = Number.POSITIVE_INFINITY,
): RegisterState {
  const projection = createProjection()
  for (const line of lines) {
    // Lines stand in the order of their transaction time.
    if (line.knownAtMs > asKnownAtMs) break
    projection.take(line)
  }
  return projection.state()
}

export function createProjection(): Projection {
  const decisions = new Map<DecisionId, HeldDecision>()
  const tokens = new Map<TokenId, HeldToken>()
  const devices = new Map<DeviceId, HeldDevice>()
  const launchesRevoked = new Set<string>()
  const usersRevoked = new Set<UserId>()
  let ground: GroundPart | null = null
  let users: readonly RegisterUser[] = []
  let knownAtMs = 0

  function take(line: LedgerLine): void {
    const { event } = line
    knownAtMs = line.knownAtMs
    switch (event.kind) {
      case 'decision-set': {
        const { decision, approval } = event
        const before = decisions.get(decision.id)
        decisions.set(decision.id, {
          decision,
          approval,
          firstKnownAtMs: before?.firstKnownAtMs ?? line.knownAtMs,
          knownAtMs: line.knownAtMs,
          entry: line.entry,
        })
        return
      }
      case 'ground-set':
        ground = event.ground
        return
      case 'people-set':
        users = event.users
        return
      case 'token-issued':
        tokens.set(event.token.id, {
          ...event.token,
          tool: event.tool,
          issuedAtMs: line.knownAtMs,
          revokedAtMs: null,
        })
        return
      case 'token-revoked': {
        const token = tokens.get(event.id)
        if (token === undefined) return
        tokens.set(event.id, { ...token, revokedAtMs: token.revokedAtMs ?? line.knownAtMs })
        return
      }
      case 'device-enrolled':
        devices.set(event.device.id, {
          ...event.device,
          enrolledAtMs: line.knownAtMs,
          revokedAtMs: null,
        })
        return
      case 'device-revoked': {
        const device = devices.get(event.id)
        if (device === undefined) return
        devices.set(event.id, { ...device, revokedAtMs: device.revokedAtMs ?? line.knownAtMs })
        return
      }
      case 'launch-revoked':
        launchesRevoked.add(event.launch)
        return
      case 'user-revoked':
        usersRevoked.add(event.id)
        return
      case 'user-restored':
        usersRevoked.delete(event.id)
        return
      default:
        return unreachable(event)
    }
  }

  return {
    take,
    state: () => ({
      decisions: new Map(decisions),
      ground,
      users,
      tokens: new Map(tokens),
      devices: new Map(devices),
      launchesRevoked: [...launchesRevoked],
      usersRevoked: [...usersRevoked],
      knownAtMs,
    }),
  }
}

import { keyIdOf, publicKeyOf } from '#decide/keys.ts'
import type { World } from '#words/clock.ts'
import type { Custody, Level } from '#words/decision.ts'
import { Fault } from '#words/faults.ts'
import type { DeviceId, ProviderId, SiteId, TokenId, UserId } from '#words/ids.ts'
import type { RegisterDevice, RegisterEvent, RegisterToken } from './events.ts'
import type { HeldDevice, HeldToken, RegisterState } from './ledger.ts'
import { instead } from './near.ts'
import { makeToken } from './tokens.ts'

export type IssueToken = {
  readonly user: string
  readonly device?: string
  /** By default the site of the person. */
  readonly site?: string
  readonly expiresMs: number
  readonly tool?: string
  readonly providers?: readonly string[]
}

export type IssuedToken = {
  readonly id: TokenId
  /** The only time that anyone sees it. */
  readonly text: string
  readonly expiresMs: number
}

export type Principals = {
  issueToken(input: IssueToken): Promise<IssuedToken>
  listTokens(): readonly Omit<HeldToken, 'sha256'>[]
  revokeToken(id: string, reason: string): Promise<void>
  enrollDevice(input: {
    readonly user: string
    /** Ed25519, base64 of the 32 raw bytes. */
    readonly publicKey: string
    readonly custody: Custody
    readonly levelMax: Level
  }): Promise<HeldDevice['id']>
  listDevices(): readonly HeldDevice[]
  revokeDevice(id: string, reason: string): Promise<void>
  revokeLaunch(launch: string, reason: string): Promise<void>
  revokeUser(id: string, reason: string): Promise<void>
  restoreUser(id: string, reason: string): Promise<void>
}

const tokenMsMax = 366 * 24 * 3_600_000

type Change = <Answer>(
  decide: () => {
    readonly events: readonly RegisterEvent[]
    readonly answer: (entries: readonly string[]) => Answer
  },
) => Promise<Answer>

/** Tokens, devices and revocations. Restricting is always possible; a name that is unknown is not. */
export function createPrincipals(room: {
  readonly world: World
  readonly state: () => RegisterState
  readonly change: Change
}): Principals {
  const { world, state, change } = room
  const one = (event: RegisterEvent): Promise<void> =>
    change(() => ({ events: [event], answer: () => undefined }))

  return {
    issueToken(input) {
      return change(() => {
        const now = state()
        const user = now.users.find((row) => row.id === input.user)
        if (user === undefined) throw unknownName('person', input.user, names(now.users))
        const sites = names(now.ground?.sites ?? [])
        const site = input.site ?? user.site
        if (site !== 'unknown' && !sites.includes(site)) throw unknownName('site', site, sites)
        const device = input.device === undefined ? undefined : liveDevice(now, input.device)
        if (device !== undefined && device.user !== user.id) {
          throw new Fault('usage', {
            outward: `The device ${device.id} belongs to another person.`,
          })
        }
        const nowMs = world.nowMs()
        if (!(input.expiresMs > nowMs && input.expiresMs <= nowMs + tokenMsMax)) {
          throw new Fault('usage', { outward: 'A token is valid for at most 366 days.' })
        }
        const known = names(now.ground?.catalog.providers ?? [])
        for (const id of input.providers ?? []) {
          if (!known.includes(id)) throw unknownName('provider', id, known)
        }
        const made = makeToken(world)
        const token: RegisterToken = {
          id: made.id,
          sha256: made.sha256,
          user: user.id,
          device: device?.id ?? 'unknown',
          site: site as SiteId,
          expiresMs: input.expiresMs,
          ...(input.providers === undefined
            ? {}
            : { providers: input.providers as readonly ProviderId[] }),
        }
        return {
          events: [{ kind: 'token-issued', token, tool: input.tool ?? null }],
          answer: () => ({ id: made.id, text: made.text, expiresMs: token.expiresMs }),
        }
      })
    },
    listTokens: () =>
      [...state().tokens.values()].map(({ sha256: _sha256, ...token }) => token).sort(byExpiry),
    revokeToken: (id, reason) =>
      change(() => {
        const token = state().tokens.get(id as TokenId)
        if (token === undefined) throw unknownName('token', id, [...state().tokens.keys()])
        return {
          events:
            token.revokedAtMs === null ? [{ kind: 'token-revoked', id: token.id, reason }] : [],
          answer: () => undefined,
        }
      }),
    enrollDevice: (input) =>
      change(() => {
        const now = state()
        const user = now.users.find((row) => row.id === input.user)
        if (user === undefined) throw unknownName('person', input.user, names(now.users))
        const device: RegisterDevice = {
          id: `dev-${keyIdOf(checkedKey(input.publicKey))}` as DeviceId,
          user: user.id,
          publicKey: input.publicKey,
          custody: input.custody,
          levelMax: input.levelMax,
        }
        if (now.devices.has(device.id)) {
          throw new Fault('usage', {
            outward: `The device ${device.id} is known already; a revoked key never comes back.`,
          })
        }
        return { events: [{ kind: 'device-enrolled', device }], answer: () => device.id }
      }),
    listDevices: () => [...state().devices.values()],
    revokeDevice: (id, reason) =>
      change(() => {
        const device = state().devices.get(id as DeviceId)
        if (device === undefined) throw unknownName('device', id, [...state().devices.keys()])
        return {
          events:
            device.revokedAtMs === null ? [{ kind: 'device-revoked', id: device.id, reason }] : [],
          answer: () => undefined,
        }
      }),
    revokeLaunch: (launch, reason) => one({ kind: 'launch-revoked', launch, reason }),
    revokeUser: (id, reason) =>
      change(() => {
        const known = names(state().users)
        if (!known.includes(id)) throw unknownName('person', id, known)
        return {
          events: [{ kind: 'user-revoked', id: id as UserId, reason }],
          answer: () => undefined,
        }
      }),
    restoreUser: (id, reason) =>
      change(() => {
        const revoked = state().usersRevoked
        if (!revoked.includes(id as UserId)) throw unknownName('revoked person', id, revoked)
        return {
          events: [{ kind: 'user-restored', id: id as UserId, reason }],
          answer: () => undefined,
        }
      }),
  }
}

function liveDevice(state: RegisterState, id: string): HeldDevice {
  const device = state.devices.get(id as DeviceId)
  if (device === undefined) throw unknownName('device', id, [...state.devices.keys()])
  if (device.revokedAtMs !== null) {
    throw new Fault('usage', { outward: `The device ${id} is revoked.` })
  }
  return device
}

function checkedKey(text: string): string {
  try {
    publicKeyOf(text)
    return text
  } catch (cause) {
    throw new Fault('usage', {
      outward: 'The public key of a device is base64 of its 32 raw Ed25519 bytes.',
      cause,
    })
  }
}

function names(rows: readonly { readonly id: string }[]): readonly string[] {
  return rows.map((row) => row.id)
}

function unknownName(what: string, id: string, known: readonly string[]): Fault {
  return new Fault('not-found', {
    outward: `There is no ${what} \`${id}\`; ${instead(id, known)}`,
  })
}

function byExpiry(a: { readonly expiresMs: number }, b: { readonly expiresMs: number }): number {
  return a.expiresMs - b.expiresMs
}

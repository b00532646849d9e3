import type { GroundPart, PrincipalsPart, RevocationsPart } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { Custody, Level } from '#words/decision.ts'
import type { Caller } from '#words/exchange.ts'
import { Fault } from '#words/faults.ts'
import type { ProviderId, SiteId, TokenId, ToolId, UserId } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import { findCredential } from './credentials.ts'
import { launchDesk } from './launch.ts'
import type { Launch } from './launch.ts'
import { credentialLeak } from './leak.ts'
import { classifier, repositoryName, repositoryReader } from './repository.ts'
import { tokenTable } from './tokens.ts'
import type { TokenRow } from './tokens.ts'
import { toolReader } from './tools.ts'

export type Identified = {
  readonly caller: Caller
  /** Lower-case names of headers that carried our credential, or words to us, and end here. */
  readonly strip: readonly string[]
}

export type IdentifyInput = {
  readonly rawHeaders: readonly string[]
  readonly peer: string
  readonly provider: ProviderId | 'unknown'
  /** Policy time, epoch milliseconds. */
  readonly nowMs: number
  /** What the CONNECT of the surrounding tunnel carried as `proxy-authorization`. */
  readonly proxyCredential?: string
}

export type Identifier = {
  identify(input: IdentifyInput): Identified
  /** Who opened a tunnel: no provider and no tool is known yet. */
  identifyTunnel(input: Omit<IdentifyInput, 'provider'>): Identified
}

/**
 * Tells who is asking, by one bundle.
 *
 * Fails closed, with `token-*`, `launch-invalid` or `credential-misdirected`: nothing else of the
 * request is read before the credential holds. No fault, entry or log line has a credential in it.
 * Everything remembered here dies with the bundle.
 */
export function createIdentifier(options: {
  readonly world: World
  readonly bundle: {
    readonly ground: GroundPart
    readonly principals: PrincipalsPart
    readonly revocations: RevocationsPart
    /** Origin of the log, which launch credentials must name; absent: none is taken. */
    readonly origin?: string
  }
  /** Who could alter this gate. The weakest until told otherwise. */
  readonly custody?: Custody
}): Identifier {
  const { ground, principals, revocations, origin } = options.bundle
  const users = new Map(principals.users.map((user) => [user.id as string, user]))
  const countries = new Map(ground.sites.map((site) => [site.id as string, site.country]))
  const vendors = new Map(ground.catalog.providers.map(({ id, vendor }) => [id as string, vendor]))
  const revoked = {
    tokens: new Set<string>(revocations.tokens),
    devices: new Set<string>(revocations.devices),
    launches: new Set<string>(revocations.launches),
    users: new Set<string>(revocations.users),
  }
  const tokens = tokenTable(principals.tokens)
  const launches = launchDesk(principals.devices, origin ?? '')
  const toolOf = toolReader(ground.catalog)
  const repositoryOf = repositoryReader()
  const classify = classifier(ground.classifications)
  const ownCustody = options.custody ?? 'device-user'

  const person = (id: string) => {
    const user = users.get(id)
    if (user === undefined) throw new Fault('token-revoked', { outward: 'This person has left.' })
    if (revoked.users.has(id)) throw revokedFault('Access of this person')
    return user
  }

  const byToken = (row: TokenRow, input: IdentifyInput, tunnel: boolean): Caller => {
    if (revoked.tokens.has(row.id)) throw revokedFault('This token')
    if (revoked.devices.has(row.device)) throw revokedFault('The device of this token')
    if (input.nowMs >= row.expiresMs) {
      throw new Fault('token-expired', {
        outward: `This token expired at ${new Date(row.expiresMs).toISOString()}.`,
      })
    }
    if (!tunnel && row.providers?.includes(input.provider as ProviderId) === false) {
      throw new Fault('token-not-for-provider', {
        outward: `This token is for ${row.providers?.join(', ')} only.`,
      })
    }
    const user = person(row.user)
    const site = row.site === 'unknown' ? user.site : row.site
    const repository = repositoryOf(input.rawHeaders)
    const shown = toolOf(input.rawHeaders)
    return {
      by: 'token',
      credential: row.id,
      user: row.user,
      groups: user.groups,
      device: row.device,
      site,
      country: countries.get(site) ?? 'unknown',
      tool: shown.tool,
      toolConfidence: shown.confidence,
      release: shown.release,
      releaseDigest: '',
      releaseConfidence: shown.releaseConfidence,
      repository,
      classification: classify(repository),
      launch: '',
      level: 'none',
      custody: ownCustody,
      interactive: shown.interactive,
    }
  }

  const byLaunch = ({ claims, device }: Launch, input: IdentifyInput): Caller => {
    if (revoked.launches.has(claims.launch)) throw revokedFault('This launch')
    if (revoked.devices.has(device.id)) throw revokedFault('The device of this launch')
    const nowSeconds = input.nowMs / 1_000
    if (nowSeconds >= claims.exp) {
      throw new Fault('launch-invalid', { outward: 'The credential of this launch expired.' })
    }
    if (claims.iat > nowSeconds + limits.launchClockAheadSecondsMax) {
      throw new Fault('launch-invalid', { outward: 'This launch is dated in the future.' })
    }
    const user = person(claims.user)
    const shown = toolOf(input.rawHeaders)
    // A tool that was launched may not lend its good name to another one beside it.
    if (shown.tool !== 'unknown' && shown.tool !== claims.tool) {
      throw new Fault('launch-invalid', {
        outward: `The credential of a launch of ${claims.tool} came with requests of ${shown.tool}.`,
      })
    }
    // It says of itself that it is another release than was started: it updated itself.
    const same = shown.release === 'unknown' || shown.release === claims.version
    // The directory first: where one works is nothing for one's own machine to choose.
    const site = user.site === 'unknown' ? (siteOf(claims.site, countries) ?? 'unknown') : user.site
    const repository =
      claims.repository === undefined
        ? repositoryOf(input.rawHeaders)
        : repositoryName(claims.repository)
    const classified = classify(repository)
    return {
      by: 'launch',
      credential: claims.launch as TokenId,
      user: claims.user as UserId,
      groups: user.groups,
      device: device.id,
      site,
      country: countries.get(site) ?? 'unknown',
      tool: claims.tool as ToolId,
      toolConfidence: 'proven',
      release: same ? claims.version : shown.release,
      releaseDigest: same ? (claims.sha512 ?? '') : '',
      releaseConfidence: same ? 'proven' : shown.releaseConfidence,
      repository,
      classification: classified === 'unknown' ? (claims.classification ?? 'unknown') : classified,
      launch: claims.launch,
      level: lower(claims.level, device.levelMax),
      custody: weaker(ownCustody, device.custody),
      interactive: shown.interactive,
    }
  }

  const who = (input: IdentifyInput, tunnel: boolean): Identified => {
    const found = findCredential(input.rawHeaders, input.proxyCredential)
    const caller =
      found.kind === 'token'
        ? byToken(tokens.get(found.text), input, tunnel)
        : byLaunch(opened(found.text), input)
    return { caller, strip: found.strip }
  }

  const opened = (text: string): Launch => {
    if (origin === undefined) {
      throw new Fault('launch-invalid', { outward: 'This gate takes no launch credentials.' })
    }
    return launches.open(text)
  }

  return {
    identify(input) {
      const identified = who(input, false)
      const vendor = vendors.get(input.provider) ?? 'unknown'
      const leak = credentialLeak(input.rawHeaders, { provider: input.provider, vendor })
      if (leak !== null) throw leak
      return identified
    },
    identifyTunnel(input) {
      return who({ ...input, provider: 'unknown' }, true)
    },
  }
}

function siteOf(said: string | undefined, known: ReadonlyMap<string, string>): SiteId | null {
  return said !== undefined && known.has(said) ? (said as SiteId) : null
}

const levels: readonly Level[] = ['none', 'L0', 'L1', 'L2', 'L3']
function lower(one: Level, other: Level): Level {
  return levels.indexOf(one) <= levels.indexOf(other) ? one : other
}

const custodies: readonly Custody[] = ['device-user', 'device-system', 'central']
function weaker(one: Custody, other: Custody): Custody {
  return custodies.indexOf(one) <= custodies.indexOf(other) ? one : other
}

function revokedFault(what: string): Fault {
  return new Fault('token-revoked', { outward: `${what} was revoked.` })
}

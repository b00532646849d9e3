import { generateKeyPairSync } from 'node:crypto'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { GroundPart, PrincipalsPart, RevocationsPart } from '#words/bundle.ts'
import { realWorld } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import type { ProviderId } from '#words/ids.ts'
import { createIdentifier } from './identifier.ts'
import type { IdentifyInput } from './identifier.ts'
import { signLaunch } from './launch.ts'
import type { LaunchClaims } from './launch.ts'
import { tokenHash, tokenText } from './tokens.ts'

const nowMs = Date.UTC(2026, 10, 24)
const token = tokenText(realWorld.randomBytes(32))
const other = tokenText(realWorld.randomBytes(32))
const expired = tokenText(realWorld.randomBytes(32))
const device = generateKeyPairSync('ed25519')
const foreign = generateKeyPairSync('ed25519')

const principals = {
  users: [{ id: 'ada', groups: ['platform'], site: 'berlin' }],
  tokens: [
    row('tok_a', token, nowMs + 1_000),
    { ...row('tok_b', other, nowMs + 1_000), providers: ['openai'] },
    row('tok_c', expired, nowMs),
  ],
  devices: [
    {
      id: 'laptop',
      user: 'ada',
      publicKey: rawKey(device.publicKey),
      custody: 'device-system',
      levelMax: 'L1',
    },
  ],
} as unknown as PrincipalsPart

const ground = {
  catalog: {
    tools: [
      {
        id: 'claude-code',
        identities: [
          {
            userAgent: '^claude-cli/(?<version>[0-9.]+) ',
            interactive: 'external, cli[,)]',
            confidence: 'claimed',
          },
        ],
      },
      {
        id: 'codex',
        identities: [
          { userAgent: '^codex_[a-z_]+/(?<version>[0-9.]+)', confidence: 'claimed' },
          { header: { name: 'Originator', pattern: '^codex' }, confidence: 'claimed' },
        ],
      },
    ],
    providers: [
      { id: 'anthropic', vendor: 'anthropic' },
      { id: 'openai', vendor: 'openai' },
    ],
  },
  sites: [{ id: 'berlin', timeZone: 'Europe/Berlin', country: 'DE' }],
  classifications: { 'github.com/acme/secret': 'restricted', 'github.com/acme/*': 'internal' },
} as unknown as GroundPart

const claims: LaunchClaims = {
  v: 1,
  launch: 'launch-1',
  device: 'laptop',
  user: 'ada',
  tool: 'claude-code',
  version: '2.1.330',
  sha512: 'ab'.repeat(64),
  level: 'L3',
  repository: 'https://ada:secret@github.com/acme/secret.git',
  iat: nowMs / 1_000,
  exp: nowMs / 1_000 + 3_600,
  aud: 'log.example/eu',
}

function row(id: string, text: string, expiresMs: number) {
  return { id, sha256: tokenHash(text), user: 'ada', device: 'unknown', site: 'unknown', expiresMs }
}

function rawKey(key: typeof device.publicKey): string {
  const { x } = key.export({ format: 'jwk' })
  return Buffer.from(x as string, 'base64url').toString('base64')
}

function identifier(revoked: Partial<Record<keyof RevocationsPart, string[]>> = {}) {
  const none = { tokens: [], devices: [], launches: [], users: [] }
  return createIdentifier({
    world: realWorld,
    custody: 'central',
    bundle: {
      ground,
      principals,
      revocations: { ...none, ...revoked } as unknown as RevocationsPart,
      origin: 'log.example/eu',
    },
  })
}

const input = (rawHeaders: string[], more: Partial<IdentifyInput> = {}): IdentifyInput => ({
  rawHeaders,
  peer: '203.0.113.9',
  provider: 'anthropic' as ProviderId,
  nowMs,
  ...more,
})

function codeOf(work: () => unknown): string {
  try {
    work()
    return 'passed'
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause
    for (const secret of [token, other, 'secret'])
      expect(cause.inward + cause.outward).not.toContain(secret)
    return cause.code
  }
}

test('the token is found wherever a tool can put it, and only its header ends here', () => {
  const desk = identifier()
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`
  const places: [string[], string[]][] = [
    [['X-Postern-Token', token], ['x-postern-token']],
    [['Authorization', `Bearer ${token}`], ['authorization']],
    [['x-api-key', token, 'authorization', 'Bearer sk-ant-oat01-x'], ['x-api-key']],
    [['Proxy-Authorization', basic(`ada:${token}`)], ['proxy-authorization']],
    [['Proxy-Authorization', basic(`${token}:`)], ['proxy-authorization']],
    [
      ['x-api-key', token, 'authorization', `bearer ${token}`],
      ['x-api-key', 'authorization'],
    ],
    [
      ['x-api-key', token, 'X-Postern-Repository', 'github.com/a/b'],
      ['x-api-key', 'x-postern-repository'],
    ],
  ]
  for (const [rawHeaders, strip] of places) {
    const { caller, strip: ended } = desk.identify(input(rawHeaders))
    expect(caller).toMatchObject({ by: 'token', credential: 'tok_a', user: 'ada', country: 'DE' })
    expect(ended).toEqual(strip)
  }
  const inTunnel = desk.identify(
    input(['x-api-key', 'sk-ant-x'], { proxyCredential: basic(`x:${token}`) }),
  )
  expect(inTunnel).toMatchObject({ strip: [], caller: { credential: 'tok_a' } })
})

test('no credential, two, a wrong, an old, a revoked one: each has its fault', () => {
  const desk = identifier()
  const api = (text: string) => desk.identify(input(['x-api-key', text]))
  expect(codeOf(() => desk.identify(input(['x-api-key', 'sk-ant-x'])))).toBe('token-missing')
  expect(
    codeOf(() => desk.identify(input(['x-api-key', token, 'authorization', `Bearer ${other}`]))),
  ).toBe('token-malformed')
  expect(codeOf(() => desk.identify(input(['x-api-key', token], { proxyCredential: other })))).toBe(
    'token-malformed',
  )
  expect(codeOf(() => api(`${token}a`))).toBe('token-malformed')
  expect(codeOf(() => api(tokenText(realWorld.randomBytes(32))))).toBe('token-unknown')
  expect(codeOf(() => api(expired))).toBe('token-expired')
  expect(codeOf(() => api(other))).toBe('token-not-for-provider')
  for (const revoked of [{ tokens: ['tok_a'] }, { users: ['ada'] }]) {
    expect(codeOf(() => identifier(revoked).identify(input(['x-api-key', token])))).toBe(
      'token-revoked',
    )
  }
  // A token that was good is judged again on every request.
  api(token)
  expect(codeOf(() => desk.identify(input(['x-api-key', token], { nowMs: nowMs + 1_000 })))).toBe(
    'token-expired',
  )
})

test('a launch is proven, capped by its device, and named without the remote’s password', () => {
  const text = signLaunch(claims, device.privateKey)
  const agent = ['user-agent', 'claude-cli/2.1.330 (external, cli)']
  const { caller } = identifier().identify(input(['x-postern-token', text, ...agent]))
  expect(caller).toMatchObject({
    by: 'launch',
    credential: 'launch-1',
    tool: 'claude-code',
    toolConfidence: 'proven',
    release: '2.1.330',
    releaseConfidence: 'proven',
    level: 'L1',
    custody: 'device-system',
    repository: 'github.com/acme/secret',
    classification: 'restricted',
    interactive: 'yes',
  })
})

test('forged, expired, misused and revoked launches are refused', () => {
  const desk = identifier()
  const open = (change: Partial<LaunchClaims>, key = device.privateKey, headers: string[] = []) =>
    codeOf(() =>
      desk.identify(
        input(['x-postern-token', signLaunch({ ...claims, ...change }, key), ...headers]),
      ),
    )
  expect(open({})).toBe('passed')
  expect(open({}, foreign.privateKey)).toBe('launch-invalid')
  expect(open({ device: 'other' })).toBe('launch-invalid')
  expect(open({ user: 'eve' })).toBe('launch-invalid')
  expect(open({ aud: 'log.other' })).toBe('launch-invalid')
  expect(open({ exp: claims.iat + 25 * 3_600 })).toBe('launch-invalid')
  expect(open({ iat: claims.iat - 7_200, exp: claims.iat })).toBe('launch-invalid')
  expect(open({ iat: claims.iat + 120, exp: claims.iat + 240 })).toBe('launch-invalid')
  expect(open({ more: 1 } as unknown as Partial<LaunchClaims>)).toBe('launch-invalid')
  expect(open({}, device.privateKey, ['user-agent', 'codex_exec/0.1'])).toBe('launch-invalid')
  for (const revoked of [{ launches: ['launch-1'] }, { devices: ['laptop'] }, { users: ['ada'] }]) {
    const text = signLaunch(claims, device.privateKey)
    expect(codeOf(() => identifier(revoked).identify(input(['x-postern-token', text])))).toBe(
      'token-revoked',
    )
  }
})

test('no truncated, flipped or lengthened credential passes', () => {
  const desk = identifier()
  const launch = signLaunch(claims, device.privateKey)
  desk.identify(input(['x-postern-token', launch]))
  const good = fc.constantFrom(token, launch)
  const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ234567_-.='
  const changed = fc
    .tuple(good, fc.nat(), fc.nat(letters.length - 1), fc.nat(2))
    .map(([text, seed, letter, how]) => {
      const at = seed % text.length
      if (how === 0) return text.slice(0, at)
      const tail = how === 1 ? at + 1 : at
      return text.slice(0, at) + (letters[letter] as string) + text.slice(tail)
    })
  fc.assert(
    fc.property(changed, (text) => {
      fc.pre(text !== token && text !== launch)
      expect(codeOf(() => desk.identify(input(['x-postern-token', text])))).not.toBe('passed')
    }),
    { numRuns: 1_000 },
  )
})

test('tool, release and presence are claims; two tools at once are none', () => {
  const desk = identifier()
  const shown = (...headers: string[]) =>
    desk.identify(input(['x-api-key', token, ...headers])).caller
  expect(shown('User-Agent', 'claude-cli/2.1.330 (external, sdk-cli)')).toMatchObject({
    tool: 'claude-code',
    toolConfidence: 'claimed',
    release: '2.1.330',
    interactive: 'no',
  })
  expect(shown('originator', 'codex_vscode')).toMatchObject({
    tool: 'codex',
    release: 'unknown',
    interactive: 'unknown',
  })
  expect(shown('user-agent', 'curl/8')).toMatchObject({
    tool: 'unknown',
    toolConfidence: 'unknown',
  })
  const metadata =
    '{"workspaces":{"/w":{"associated_remote_urls":{"origin":"git@github.com:acme/app.git"}}}}'
  expect(shown('x-codex-turn-metadata', metadata)).toMatchObject({
    repository: 'github.com/acme/app',
    classification: 'internal',
  })
})

test('a key goes to its own provider only, and the fault does not say it', () => {
  const desk = identifier()
  const to = (provider: string, ...headers: string[]) =>
    codeOf(() =>
      desk.identify(
        input(['x-postern-token', token, ...headers], { provider: provider as ProviderId }),
      ),
    )
  const jwt = `eyJhbGciOiJSUzI1NiJ9.${Buffer.from('{"iss":"https:\\/\\/auth.openai.com"}').toString('base64url')}.x`
  expect(to('anthropic', 'x-api-key', 'sk-ant-secret')).toBe('passed')
  expect(to('openai', 'x-api-key', 'sk-ant-secret')).toBe('credential-misdirected')
  expect(to('openai', 'Authorization', 'Bearer sk-proj-secret')).toBe('passed')
  expect(to('anthropic', 'Authorization', 'Bearer sk-proj-secret')).toBe('credential-misdirected')
  expect(to('anthropic', 'Authorization', 'Bearer sk-abcT3BlbkFJsecret')).toBe(
    'credential-misdirected',
  )
  expect(to('anthropic', 'Authorization', 'token gho_secret')).toBe('credential-misdirected')
  expect(to('anthropic', 'Authorization', `Bearer ${jwt}`)).toBe('credential-misdirected')
  expect(to('openai', 'Authorization', `Bearer ${jwt}`)).toBe('passed')
  expect(to('openai', 'x-goog-api-key', 'AIzasecret')).toBe('credential-misdirected')
})

test('a bundle without a token knows none that an older one knew', () => {
  const before = identifier()
  before.identify(input(['x-api-key', token]))
  const after = identifier({ tokens: ['tok_a'] })
  expect(codeOf(() => after.identify(input(['x-api-key', token])))).toBe('token-revoked')
})

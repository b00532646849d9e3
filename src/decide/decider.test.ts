import { expect, test } from 'vitest'
import {
  sampleAsk,
  sampleCaller,
  sampleContent,
  sampleDecider,
  sampleDecision,
  sampleNowMs,
} from './sample-bundle.ts'

const approved = sampleDecision({ id: 'dec-cc', subject: { kind: 'tool', tool: 'claude-code' } })
const qwen = sampleDecision({ id: 'dec-qwen', subject: { kind: 'tool', tool: 'qwen-code' } })
const ban = sampleDecision({
  id: 'dec-ban',
  subject: { kind: 'tool', tool: 'claude-code' },
  status: 'prohibited',
  effectiveFrom: { kind: 'local-midnight', date: '2026-07-10' },
  announceFrom: { kind: 'local-midnight', date: '2026-07-03' },
  openStreams: { kind: 'cut', afterSeconds: 30 },
  alternatives: [{ tool: 'codex' as never }, { tool: 'qwen-code' as never }],
})
const midnightShanghai = Date.parse('2026-07-09T16:00:00Z')
const midnightBerlin = Date.parse('2026-07-09T22:00:00Z')

function judge(
  decisions: Parameters<typeof sampleDecider>[0],
  input: {
    atMs?: number
    ask?: object
    caller?: Record<string, unknown>
    content?: object
    ground?: object
  } = {},
) {
  const { decider } = sampleDecider(decisions, input.ground)
  return decider.decide(
    sampleAsk({ ...input.ask, ...(input.atMs === undefined ? {} : { atMs: input.atMs }) }),
    sampleCaller(input.caller),
    { ...sampleContent, ...input.content },
  )
}

test('an approved tool passes without a word', () => {
  expect(judge([approved])).toMatchObject({
    kind: 'allow',
    wouldBe: 'allow',
    status: 'approved',
    decision: 'dec-cc',
    policies: ['pass-permitted'],
    message: '',
  })
})

test('a ban starts at midnight of the site of the caller, to the millisecond', () => {
  const all = [approved, qwen, ban]
  const kindAt = (atMs: number, site: string) => judge(all, { atMs, caller: { site } }).kind
  expect(kindAt(midnightShanghai - 1, 'shanghai')).toBe('warn')
  expect(kindAt(midnightShanghai, 'shanghai')).toBe('block')
  expect(kindAt(midnightShanghai, 'berlin')).toBe('warn')
  expect(kindAt(midnightBerlin, 'berlin')).toBe('block')
  // Not known where: the earliest of all midnights.
  expect(kindAt(midnightShanghai, 'unknown')).toBe('block')
  expect(kindAt(sampleNowMs, 'shanghai')).toBe('allow')
})

test('the refusal says what, since when, by whom and what instead, of what is allowed', () => {
  const verdict = judge([approved, qwen, ban], { atMs: midnightShanghai })
  expect(verdict.message).toBe(
    'Postern: Claude Code is prohibited since 2026-07-10 00:00 (Asia/Shanghai), ' +
      'decision dec-ban. Use Qwen Code instead: postern run qwen-code. ' +
      'Reference ex_aaaaaaaaaaaaaaaaaaaa.',
  )
  // Codex comes first in the decision and is not approved for anyone.
  expect(verdict.instead.map(({ tool }) => tool)).toEqual(['qwen-code'])
  expect(verdict).toMatchObject({ effectiveMs: midnightShanghai, decision: 'dec-ban' })
  expect(verdict.toPass[0]).toContain('dec-ban')
})

test('a warning in the grace period names the date', () => {
  const verdict = judge([approved, qwen, ban], { atMs: midnightShanghai - 1_000 })
  expect(verdict).toMatchObject({ kind: 'warn', wouldBe: 'warn', policies: ['announced'] })
  expect(verdict.message).toContain('will be prohibited from 2026-07-10 00:00 (Asia/Shanghai)')
  expect(verdict.message.length).toBeLessThan(240)
})

test('profiles: the same ban is recorded, said, or enforced', () => {
  for (const [profile, kind] of [
    ['observe', 'allow'],
    ['warn', 'warn'],
    ['enforce', 'block'],
  ] as const) {
    const verdict = judge([approved, { ...ban, profile }], { atMs: midnightShanghai })
    expect(verdict).toMatchObject({ kind, wouldBe: 'block', profile })
  }
})

test('a ban under observe does not open what would be refused without it', () => {
  const observed = { ...ban, profile: 'observe' as const }
  expect(judge([observed], { atMs: midnightShanghai }).kind).toBe('block')
  const content = {
    findings: [{ class: 'hidden-unicode', rule: 'tag-characters', block: 'user-text' }],
  }
  expect(judge([approved, observed], { atMs: midnightShanghai, content }).kind).toBe('block')
})

test('what is not known matches no approval and every prohibition', () => {
  const scoped = { ...approved, scope: { repositories: ['git/shop'] } }
  expect(judge([scoped]).status).toBe('unknown')
  expect(judge([scoped], { caller: { repository: 'git/shop' } }).kind).toBe('allow')
  const narrow = {
    ...ban,
    effectiveFrom: approved.effectiveFrom,
    scope: { repositories: ['git/bank'] },
  }
  expect(judge([approved, narrow]).status).toBe('prohibited')
  expect(judge([approved, narrow], { caller: { repository: 'git/shop' } }).kind).toBe('allow')
})

test('a tool without a decision is refused, and something approved is offered', () => {
  const verdict = judge([qwen])
  expect(verdict).toMatchObject({ kind: 'block', status: 'unknown', decision: null })
  expect(verdict.message).toContain('Claude Code is not on the approved list')
  expect(verdict.instead.map(({ tool }) => tool)).toEqual(['qwen-code'])
  expect(judge([qwen], { ground: { defaultProfile: 'observe' } })).toMatchObject({
    kind: 'allow',
    wouldBe: 'block',
  })
})

test('a tool that hides its name meets the bans of the tools that it could be', () => {
  const inForce = { ...ban, effectiveFrom: approved.effectiveFrom }
  const ground = { defaultProfile: 'observe' }
  const caller = { tool: 'unknown', release: 'unknown' }
  expect(judge([inForce], { caller, ground })).toMatchObject({ kind: 'block', status: 'unknown' })
  const elsewhere = { provider: 'openai' }
  expect(judge([inForce], { caller, ground, ask: elsewhere }).kind).toBe('allow')
})

test('a banned model family is met at any provider, and only where a model is asked for', () => {
  const family = {
    ...ban,
    subject: { kind: 'model-family' as const, family: 'claude-sonnet' as never },
    effectiveFrom: approved.effectiveFrom,
  }
  const all = [approved, qwen, family]
  const caller = { tool: 'qwen-code' }
  const ask = { provider: 'openai' }
  expect(judge(all, { caller, ask }).message).toContain('model family claude-sonnet is prohibited')
  expect(judge(all, { caller, ask, content: { model: 'qwen3-coder' } }).kind).toBe('allow')
  expect(judge(all, { caller, ask, content: { model: '' } }).kind).toBe('block')
  const list = { purpose: 'models' as const }
  expect(judge(all, { caller, ask: { ...ask, ...list }, content: { model: '' } }).kind).toBe(
    'allow',
  )
})

test('an approval bound to bytes needs the bytes; the most specific approval counts', () => {
  const sha512 = 'a'.repeat(128)
  const release = {
    ...approved,
    id: 'dec-release' as never,
    subject: { kind: 'release' as const, tool: 'claude-code' as never, version: '2.1.197', sha512 },
  }
  expect(judge([release]).status).toBe('unknown')
  expect(judge([approved, release], { caller: { releaseDigest: sha512 } }).decision).toBe(
    'dec-release',
  )
  expect(judge([approved, release]).decision).toBe('dec-cc')
})

test('level and custody that a decision demands are said when they are missing', () => {
  const strict = { ...approved, level: 'L2' as const, custody: 'central' as const }
  const verdict = judge([strict], { caller: { level: 'L1' } })
  expect(verdict.message).toContain('demands level L2 and this runs at level L1')
  expect(judge([strict], { caller: { level: 'L3' } }).kind).toBe('allow')
  expect(judge([strict], { caller: { level: 'L3', custody: 'device-user' } }).kind).toBe('block')
})

test('an unknown endpoint is refused with the way to allow it', () => {
  const ask = { purpose: 'unknown' as const, target: '/v1/secret\u202e?x=1', method: 'PUT' }
  const verdict = judge([approved], { ask })
  expect(verdict.message).toContain(
    'PUT /v1/secret? at api.anthropic.example is not in the catalog',
  )
  expect(verdict.toPass[0]).toContain('catalog file of Anthropic')
})

test('an expired bundle blocks under every profile but observe', () => {
  const atMs = Date.parse('2027-01-01T00:00:00Z')
  expect(judge([approved], { atMs })).toMatchObject({ kind: 'block', policies: ['bundle-expired'] })
  const observed = { ...approved, profile: 'observe' as const }
  expect(judge([observed], { atMs })).toMatchObject({ kind: 'allow', wouldBe: 'block' })
})

test('a revocation refuses at once and cuts what is open, under any profile', () => {
  const { decider } = sampleDecider([{ ...approved, profile: 'observe' }])
  const open = { exchange: sampleAsk(), caller: sampleCaller(), content: sampleContent }
  expect(decider.reconsider(open)).toEqual({ kind: 'go-on', afterMs: 0 })
  decider.tighten({ users: ['mei' as never] })
  expect(decider.decide(open.exchange, open.caller, open.content).kind).toBe('block')
  expect(decider.reconsider(open)).toEqual({ kind: 'cut', afterMs: 0 })
  expect(decider.connection(open.caller, 'api.anthropic.example', 443).kind).toBe('refuse')
})

test('a ban that starts cuts open streams after the seconds that it names', () => {
  const { decider, world } = sampleDecider([approved, ban])
  const open = { exchange: sampleAsk(), caller: sampleCaller(), content: sampleContent }
  world.set(midnightShanghai - 1)
  expect(decider.reconsider(open).kind).toBe('go-on')
  world.set(midnightShanghai + 10_000)
  expect(decider.reconsider(open)).toEqual({ kind: 'cut', afterMs: 20_000 })
})

test('hosts: the catalog is read, shared ones when on, all others as the ground part says', () => {
  const { decider } = sampleDecider([])
  expect(decider.connection(null, 'API.anthropic.example.', 443).kind).toBe('decrypt')
  expect(decider.connection(null, 'login.api.openai.example', 443).kind).toBe('tunnel')
  const strict = sampleDecider([], {
    otherHosts: 'refuse',
    sharedHostsOn: ['login.api.openai.example'],
  })
  expect(strict.decider.connection(null, 'login.api.openai.example', 443).kind).toBe('decrypt')
  expect(strict.decider.connection(null, '10.0.0.1', 443).kind).toBe('refuse')
})

test('a policy that errors blocks', () => {
  const policies = {
    'a.cedar': `@id("all") permit(principal, action, resource);
@id("broken") forbid(principal, action, resource) when { context.nothing == 1 };`,
  }
  const verdict = judge([{ ...approved, profile: 'observe' }], { ground: { policies } })
  expect(verdict.kind).toBe('block')
  expect(verdict.message).toContain('the policy broken could not be evaluated'.slice(1))
})

test('the explanation shows the truth of each clause, and the request can be decided again', () => {
  const { decider } = sampleDecider([approved, ban])
  const args = [sampleAsk({ atMs: midnightShanghai }), sampleCaller(), sampleContent] as const
  const said = decider.explain(...args)
  expect(said.determining[0]).toMatchObject({ id: 'status-prohibited', outcome: 'holds' })
  expect(said.determining[0]?.clauses[0]).toEqual({
    kind: 'when',
    words: 'context.status == "prohibited"',
    value: 'true',
  })
  expect(said.weighed.map(({ decision }) => decision)).toEqual(['dec-ban', 'dec-cc'])
  expect(JSON.parse(decider.cedarRequest(...args))).toMatchObject({
    principal: { type: 'User', id: 'mei' },
    context: { status: 'prohibited', now: midnightShanghai },
  })
})

test('the oracle agrees with every block; a mismatch is told and mistrusts our own', () => {
  const told: string[] = []
  const { decider } = sampleDecider([approved, ban], {}, { onMismatch: (what) => told.push(what) })
  const ask = sampleAsk({ atMs: midnightShanghai })
  decider.decide(ask, sampleCaller(), sampleContent)
  for (let at = 0; at < 200; at++) decider.decide(sampleAsk(), sampleCaller(), sampleContent)
  decider.oracle.flush()
  expect(decider.oracle.checked).toBeGreaterThanOrEqual(3)
  expect(told).toEqual([])
  decider.oracle.mistrusted = true
  expect(decider.decide(ask, sampleCaller(), sampleContent).policies).toEqual(['status-prohibited'])
  expect(decider.decide(sampleAsk(), sampleCaller(), sampleContent).kind).toBe('allow')
})

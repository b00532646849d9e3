import { generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { BundleParts, GroundPart, RootFile } from '#words/bundle.ts'
import type { Catalog, CatalogTool } from '#words/catalog.ts'
import type { World } from '#words/clock.ts'
import { noContent } from '#words/content.ts'
import type { Approval, Decision } from '#words/decision.ts'
import { permits } from '#words/decision.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import { groundSigned, shownDecision, shownGround, signApproval } from './approval.ts'
import type { OpenedBundle } from './bundle.ts'
import { openBundle, sealBundle } from './bundle.ts'
import { createDecider } from './decider.ts'
import type { Decider } from './decider.ts'
import { keyIdOf, publicKeyText } from './keys.ts'

/** A small company for tests and benches: three tools, two providers, two sites, two approvers. */
export const sampleNowMs = Date.parse('2026-07-01T00:00:00Z')

export type SampleKeys = {
  readonly root: RootFile
  readonly control: { readonly keyId: string; readonly privateKey: KeyObject }
  readonly approvers: readonly { readonly keyId: string; readonly privateKey: KeyObject }[]
}

export function sampleKeys(threshold = 2): SampleKeys {
  const make = () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const publicKey = publicKeyText(privateKey)
    return { keyId: keyIdOf(publicKey), publicKey, privateKey }
  }
  const control = make()
  const approvers = [make(), make(), make()]
  return {
    control,
    approvers,
    root: {
      format: 'postern-root/1',
      version: 1,
      origin: 'log.example/postern',
      bundleKeys: [{ keyId: control.keyId, publicKey: control.publicKey }],
      logKeys: [],
      approvers: approvers.map(({ keyId, publicKey }, at) => ({
        keyId,
        publicKey,
        name: `approver ${at}`,
      })),
      threshold,
    },
  }
}

export function starterPolicies(): Pick<GroundPart, 'policies' | 'schema'> {
  const folder = join(import.meta.dirname, '../../policies')
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  const names = readdirSync(folder).filter((name) => name.endsWith('.cedar'))
  return {
    policies: Object.fromEntries(names.map((name) => [name, read(name)])),
    schema: read('schema.cedarschema'),
  }
}

export function sampleCatalog(): Catalog {
  const tool = (id: string, name: string, vendor: string, providers: string[]): CatalogTool =>
    ({
      id,
      name,
      vendor,
      kinds: ['cli'],
      packages: [],
      providers,
      identities: [],
      start: `postern run ${id}`,
      pointing: [],
      source: 'sample',
    }) as unknown as CatalogTool
  const provider = (id: string, name: string, vendor: string, host: string) => ({
    id,
    name,
    vendor,
    mount: id,
    baseUrl: `https://${host}`,
    hosts: [
      { host, role: 'inference' },
      { host: `login.${host}`, role: 'auth', shared: true },
    ],
    countries: ['US'],
    endpoints: [],
    source: 'sample',
  })
  return {
    tools: [
      tool('claude-code', 'Claude Code', 'anthropic', ['anthropic']),
      tool('codex', 'Codex', 'openai', ['openai']),
      tool('qwen-code', 'Qwen Code', 'alibaba', ['openai', 'anthropic']),
    ],
    providers: [
      provider('anthropic', 'Anthropic', 'anthropic', 'api.anthropic.example'),
      provider('openai', 'OpenAI', 'openai', 'api.openai.example'),
    ],
    families: [
      { id: 'claude', vendor: 'anthropic', aliases: ['^claude-'], source: 'sample' },
      { id: 'claude-sonnet', vendor: 'anthropic', aliases: ['claude-.*sonnet'], source: 'sample' },
    ],
    vendors: [
      { id: 'anthropic', name: 'Anthropic' },
      { id: 'openai', name: 'OpenAI' },
      { id: 'alibaba', name: 'Alibaba' },
    ],
  } as unknown as Catalog
}

type DecisionDraft = Partial<Omit<Decision, 'id' | 'subject'>> & {
  readonly id: string
  readonly subject: Readonly<Record<string, string>>
}

export function sampleDecision(draft: DecisionDraft): Decision {
  return {
    status: 'approved',
    scope: {},
    effectiveFrom: { kind: 'instant', ms: Date.parse('2026-01-01T00:00:00Z') },
    profile: 'enforce',
    openStreams: { kind: 'finish' },
    conditions: [],
    alternatives: [],
    rationale: 'sample',
    evidence: [],
    owner: 'security',
    approvers: [],
    ...draft,
  } as Decision
}

export function sampleParts(
  keys: SampleKeys,
  decisions: readonly Decision[],
  given: Partial<GroundPart> = {},
): BundleParts {
  const signers = keys.approvers.slice(0, keys.root.threshold)
  const ground = {
    catalog: sampleCatalog(),
    ...starterPolicies(),
    sites: [
      { id: 'shanghai', timeZone: 'Asia/Shanghai', country: 'CN' },
      { id: 'berlin', timeZone: 'Europe/Berlin', country: 'DE' },
    ],
    classifications: {},
    defaultProfile: 'enforce',
    otherHosts: 'tunnel',
    sharedHostsOn: [],
    approval: null,
    ...given,
  } as GroundPart
  const approve = (decision: Decision): Approval =>
    signApproval(shownDecision(decision), decision, signers)
  return {
    ground: {
      ...ground,
      approval: signApproval(shownGround(ground), groundSigned(ground), signers),
    },
    decisions: {
      decisions: decisions.map((decision) => ({
        decision,
        approval: permits(decision.status) ? approve(decision) : null,
      })),
    },
    principals: { users: [], tokens: [], devices: [] },
    revocations: { tokens: [], devices: [], launches: [], users: [] },
  }
}

export function sampleBundle(keys: SampleKeys, parts: BundleParts, counter = 1): OpenedBundle {
  const sealed = sealBundle(
    {
      origin: keys.root.origin,
      counter,
      issuedAtMs: sampleNowMs,
      validUntilMs: Date.parse('2027-01-01T00:00:00Z'),
      parts,
    },
    keys.control,
  )
  return openBundle(JSON.stringify(sealed), keys.root)
}

export function sampleWorld(nowMs = sampleNowMs): World & { set(ms: number): void } {
  let now = nowMs
  return {
    nowMs: () => now,
    monotonicMs: () => now - sampleNowMs,
    randomBytes: (length) => Buffer.alloc(length, 7),
    set: (ms) => {
      now = ms
    },
  }
}

export function sampleDecider(
  decisions: readonly Decision[],
  given: Partial<GroundPart> = {},
  also: { readonly onMismatch?: (what: string) => void } = {},
): { readonly decider: Decider; readonly world: ReturnType<typeof sampleWorld> } {
  const keys = sampleKeys()
  const world = sampleWorld()
  const time = {
    nowMs: () => world.nowMs(),
    source: () => 'clock',
    learn: () => undefined,
    close: () => undefined,
  }
  const bundle = sampleBundle(keys, sampleParts(keys, decisions, given))
  return { decider: createDecider({ world, time, bundle, ...also }), world }
}

export function sampleAsk(given: Partial<Exchange> = {}): Exchange {
  const body = Buffer.alloc(0)
  return {
    id: 'ex_aaaaaaaaaaaaaaaaaaaa',
    door: 'base-url',
    transport: 'http',
    atMs: sampleNowMs,
    method: 'POST',
    target: '/v1/messages',
    host: 'api.anthropic.example',
    provider: 'anthropic',
    purpose: 'inference',
    wire: 'anthropic-messages',
    rawHeaders: [],
    body,
    readable: body,
    peer: '127.0.0.1',
    ...given,
  } as Exchange
}

export function sampleCaller(given: Readonly<Record<string, unknown>> = {}): Caller {
  return {
    by: 'token',
    credential: 'tok_a',
    user: 'mei',
    groups: ['platform'],
    device: 'unknown',
    site: 'shanghai',
    country: 'CN',
    tool: 'claude-code',
    toolConfidence: 'claimed',
    release: '2.1.197',
    releaseDigest: '',
    releaseConfidence: 'claimed',
    repository: 'unknown',
    classification: 'unknown',
    launch: '',
    level: 'none',
    custody: 'central',
    interactive: 'yes',
    ...given,
  } as unknown as Caller
}

export const sampleContent = { ...noContent, model: 'claude-sonnet-4-5' }

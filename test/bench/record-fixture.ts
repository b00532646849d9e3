import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { realWorld } from '#words/clock.ts'
import type { EntryDraft, Outcome } from '#words/entry.ts'
import { noContent } from '#words/content.ts'
import type { Content } from '#words/content.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type {
  DecisionId,
  DeviceId,
  ExchangeId,
  GroupId,
  NodeId,
  ProviderId,
  SiteId,
  TokenId,
  ToolId,
  UserId,
} from '#words/ids.ts'
import type { Verdict } from '#words/verdict.ts'

/** Made-up exchanges, people and keys for the tests and the bench of this room; never run in a gate. */

/** Keys of one log, made for one test and kept nowhere. */
export function someKeys() {
  const node = generateKeyPairSync('ed25519')
  const log = generateKeyPairSync('ed25519')
  const control = generateKeyPairSync('x25519')
  return { node, log, control, pseudonymKey: randomBytes(32), atRest: randomBytes(32) }
}

export type Keys = ReturnType<typeof someKeys>

export const someOrigin = 'postern.example/log'
export const someNode = 'gate-a1b2c3/0' as NodeId

export function recorderInput(dir: string, keys: Keys, node: NodeId = someNode) {
  return {
    world: realWorld,
    dir,
    node,
    signingKey: keys.node.privateKey,
    sealTo: keys.control.publicKey,
    pseudonymKey: keys.pseudonymKey,
    origin: someOrigin,
  }
}

export function someExchange(number: number): Exchange {
  const body = Buffer.from(JSON.stringify({ model: 'claude-sonnet-4-5', number }))
  return {
    id: `ex_${String(number).padStart(20, 'a')}` as ExchangeId,
    door: 'base-url',
    transport: 'http',
    atMs: 1_780_000_000_000 + number,
    method: 'POST',
    target: '/v1/messages?beta=true',
    host: 'api.anthropic.com',
    provider: 'anthropic' as ProviderId,
    purpose: 'inference',
    wire: 'anthropic-messages',
    rawHeaders: ['user-agent', 'claude-cli/2.1.200 (external, cli)', 'content-type', 'text/json'],
    body,
    readable: body,
    peer: '127.0.0.1',
  }
}

export function someCaller(number: number): Caller {
  return {
    by: 'token',
    credential: `tok_${number % 1000}` as TokenId,
    user: `user-${number % 1000}@example.com` as UserId,
    groups: ['engineering' as GroupId, 'payments' as GroupId],
    device: `device-${number % 1000}` as DeviceId,
    site: 'berlin' as SiteId,
    country: 'DE',
    tool: 'claude-code' as ToolId,
    toolConfidence: 'claimed',
    release: '2.1.200',
    releaseDigest: '',
    releaseConfidence: 'claimed',
    repository: 'github.com/example/payments',
    classification: 'internal',
    launch: '',
    level: 'none',
    custody: 'central',
    interactive: 'yes',
  }
}

export const someContent: Content = {
  ...noContent,
  model: 'claude-sonnet-4-5',
  stream: true,
  conversation: '0123456789abcdef0123456789abcdef',
}

export const someVerdict: Verdict = {
  kind: 'allow',
  wouldBe: 'allow',
  profile: 'enforce',
  status: 'approved',
  because: [{ policy: 'approved-use', decision: null, words: 'Claude Code is approved.' }],
  instead: [],
  policies: ['approved-use'],
  decision: 'dec-claude-code' as DecisionId,
  effectiveMs: null,
  timeZone: 'Europe/Berlin',
  message: '',
  toPass: [],
  openStreams: { kind: 'finish' },
  bundle: { counter: 7, digest: 'c0ffee'.repeat(10), ageMs: 1234 },
  timeSource: 'clock',
}

export const someOutcome: Outcome = {
  result: 'answered',
  status: 200,
  bytesUp: 2048,
  bytesDown: 4096,
  firstByteMs: 120,
  totalMs: 900,
  inputTokens: 512,
  outputTokens: 128,
  stopReason: 'end_turn',
  findings: {},
  fault: '',
}

/** A Cedar request of the size that a real one has. */
export function someDecisionInput(number: number): string {
  return JSON.stringify({
    principal: { type: 'User', id: `user-${number % 1000}@example.com` },
    action: 'inference',
    resource: { type: 'Tool', id: 'claude-code' },
    context: {
      now: 1_780_000_000_000 + number,
      door: 'base-url',
      model: 'claude-sonnet-4-5',
      provider: 'anthropic',
      groups: ['engineering', 'payments'],
      findings: [],
      repository: 'github.com/example/payments',
      classification: 'internal',
    },
  })
}

export function someNote(number: number, subject: string | null = null): EntryDraft {
  return {
    kind: 'register',
    atMs: 1_780_000_000_000 + number,
    subject,
    public: { event: 'decision', number },
    private: subject === null ? {} : { user: subject, rationale: `because ${number}` },
  }
}

import type { RevocationsPart } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { Content } from '#words/content.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { Reason, Verdict } from '#words/verdict.ts'
import { Fault } from '#words/faults.ts'
import { requestJson } from './ask.ts'
import type { OpenedBundle } from './bundle.ts'
import { compilePolicies } from './compile.ts'
import { connectionJudge } from './connection.ts'
import type { ConnectionVerdict } from './connection.ts'
import { indexDecisions } from './decision-index.ts'
import { explainJudged } from './explain.ts'
import type { Explanation } from './explain.ts'
import { offer } from './instead.ts'
import { byAction, Judge } from './judge.ts'
import type { Judged } from './judge.ts'
import { memoKey } from './memo.ts'
import { factsOf, fill, messageText } from './message.ts'
import type { Facts } from './message.ts'
import { Oracle } from './oracle.ts'
import type { PolicyTime } from './policy-time.ts'
import { lookupCatalog, Resolver } from './resolve.ts'

export type OpenExchange = {
  readonly exchange: Exchange
  readonly caller: Caller
  readonly content: Content
}

export type Decider = {
  /** At `exchange.atMs`. Never throws but for bugs: what goes wrong is a block. */
  decide(exchange: Exchange, caller: Caller, content: Content): Verdict
  connection(caller: Caller | null, host: string, port: number): ConnectionVerdict
  /** Of an answer that still runs: may it, now? */
  reconsider(open: OpenExchange): { readonly kind: 'go-on' | 'cut'; readonly afterMs: number }
  /** Adds revocations at once, before the next bundle brings them. */
  tighten(revoked: Partial<RevocationsPart>): void
  /** The truth of each clause of the policies that determined it. */
  explain(exchange: Exchange, caller: Caller, content: Content): Explanation
  /** The complete Cedar request as evaluated (JSON), for the opening of the entry. */
  cedarRequest(exchange: Exchange, caller: Caller, content: Content): string
  readonly oracle: Oracle
}

export type DeciderInput = {
  readonly world: World
  readonly time: PolicyTime
  readonly bundle: OpenedBundle
  /** What both evaluators said, as one line of JSON. */
  readonly onMismatch?: (what: string) => void
}

const finish = { kind: 'finish' } as const
const cutNow = { kind: 'cut', afterSeconds: 0 } as const
const sampleEvery = 100

/**
 * Decides what one bundle says. A new bundle is a new decider, swapped whole.
 *
 * Fails closed: an expired bundle, a clock that stepped back and a policy that errors block, save
 * under `observe`; a revoked person, device or credential is blocked under every profile.
 */
export function createDecider(input: DeciderInput): Decider {
  const { bundle, time } = input
  const { ground, revocations } = bundle.parts
  const { catalog } = ground
  const compiled = compilePolicies(ground.policies)
  const sets = byAction(compiled)
  const mismatched = input.onMismatch ?? (() => undefined)
  const oracle = new Oracle(compiled, `postern-${bundle.manifest.parts.ground}`, mismatched)
  const index = indexDecisions(bundle.parts)
  const resolver = new Resolver(index, lookupCatalog(catalog))
  const judge = new Judge(ground, resolver, {
    authorize: (request, quiet) =>
      oracle.mistrusted
        ? oracle.authorize(request)
        : (quiet ? sets.quiet : sets.use).authorize(request),
    key: memoKey(compiled),
    mistrusted: () => oracle.mistrusted,
  })
  const connection = connectionJudge(ground)
  const revoked = {
    users: new Set<string>(revocations.users),
    devices: new Set<string>(revocations.devices),
    tokens: new Set<string>(revocations.tokens),
    launches: new Set<string>(revocations.launches),
  }
  const bundleWords = { counter: bundle.manifest.counter, digest: bundle.digest }
  let passes = 0

  const revokedWords = (caller: Caller): string | null => {
    if (revoked.users.has(caller.user)) return 'your access was revoked'
    if (revoked.devices.has(caller.device)) return 'the access of this device was revoked'
    if (revoked.tokens.has(caller.credential)) return 'this gateway token was revoked'
    if (revoked.launches.has(caller.launch)) return 'this launch was revoked'
    return null
  }

  const stale = (atMs: number): { policy: string; words: string; toPass: string } | null => {
    if (atMs >= bundle.manifest.validUntilMs) {
      return {
        policy: 'bundle-expired',
        words: 'this gate has heard nothing from control for too long',
        toPass: 'Bring control back, or install a newer bundle at the gate.',
      }
    }
    try {
      time.nowMs()
      return null
    } catch (error) {
      if (!(error instanceof Fault)) throw error
      return { policy: error.code, words: 'the clock of this gate went back', toPass: error.advice }
    }
  }

  /** A block that no Cedar policy said. */
  const plainBlock = (
    exchange: Exchange,
    caller: Caller,
    judged: Judged,
    why: { policy: string; words: string; toPass: string; hard: boolean },
  ): Verdict => {
    const observed = !why.hard && judged.profile === 'observe'
    const zone = index.siteZone.get(caller.site) ?? 'UTC'
    return {
      kind: observed ? judged.kind : 'block',
      wouldBe: 'block',
      profile: judged.profile,
      status: judged.candidate.status,
      because: [{ policy: why.policy, decision: null, words: why.words }],
      instead: [],
      policies: [why.policy],
      decision: null,
      effectiveMs: null,
      timeZone: zone,
      message: observed
        ? ''
        : messageText({
            words: why.words,
            passes: false,
            announced: false,
            instead: [],
            reference: exchange.id,
          }),
      toPass: [why.toPass],
      openStreams: why.hard ? cutNow : finish,
      bundle: { ...bundleWords, ageMs: exchange.atMs - bundle.manifest.issuedAtMs },
      timeSource: time.source(),
    }
  }

  const verdictOf = (
    exchange: Exchange,
    caller: Caller,
    content: Content,
    judged: Judged,
  ): Verdict => {
    const { candidate, kind, wouldBe, profile, answer } = judged
    const decision = candidate.prepared?.decision ?? null
    const times =
      candidate.prepared === null ? null : resolver.timesOf(candidate.prepared, caller.site)
    const zone = index.siteZone.get(caller.site) ?? times?.zone ?? 'UTC'
    const rest = {
      kind,
      wouldBe,
      profile,
      status: candidate.status,
      policies: answer.determining.map((policy) => policy.id).sort(),
      decision: decision?.id ?? null,
      effectiveMs: times?.fromMs ?? null,
      timeZone: zone,
      openStreams: decision?.openStreams ?? finish,
      bundle: {
        counter: bundleWords.counter,
        digest: bundleWords.digest,
        ageMs: exchange.atMs - bundle.manifest.issuedAtMs,
      },
      timeSource: time.source(),
    }
    if (wouldBe === 'allow') {
      return { ...rest, because: noReasons, instead: noInstead, message: '', toPass: noWords }
    }
    const facts = factsOf(catalog, exchange, caller, content, judged, {
      fromMs: times?.fromMs ?? null,
      zone,
    })
    const because = reasonsOf(judged, decision?.id ?? null, facts)
    const status = because[0]?.policy ?? ''
    const instead =
      status.startsWith('status-') || candidate.grace
        ? offer(catalog, resolver, caller, {
            alternatives: decision?.alternatives ?? null,
            not: caller.tool,
            atMs: exchange.atMs,
          })
        : noInstead
    const advised = [...answer.errors, ...answer.determining]
      .map((policy) => policy.annotations.advice)
      .filter((advice) => advice !== undefined)
      .map((advice) => fill(advice, facts))
    return {
      ...rest,
      because,
      instead,
      message:
        kind === 'allow'
          ? ''
          : messageText({
              words: because[0]!.words,
              passes: kind === 'warn',
              announced: wouldBe === 'warn',
              instead,
              reference: exchange.id,
            }),
      toPass: advised.length > 0 ? advised : ['An approval would have to cover you and this tool.'],
    }
  }

  const decide = (exchange: Exchange, caller: Caller, content: Content): Verdict => {
    const judged = judge.judge(exchange, caller, content, exchange.atMs)
    // All blocks and every hundredth pass are decided again by the reference implementation.
    if (judged.wouldBe === 'block' || ++passes % sampleEvery === 0) {
      if (!judged.candidate.grace || judged.wouldBe !== 'allow') {
        oracle.later(judged.request(), judged.answer)
      }
    }
    const gone = revokedWords(caller)
    if (gone !== null) {
      const toPass = 'Ask the owner of the register why.'
      return plainBlock(exchange, caller, judged, {
        policy: 'revoked',
        words: gone,
        toPass,
        hard: true,
      })
    }
    const old = judged.kind === 'block' ? null : stale(exchange.atMs)
    if (old !== null) return plainBlock(exchange, caller, judged, { ...old, hard: false })
    return verdictOf(exchange, caller, content, judged)
  }

  return {
    decide,
    oracle,
    connection(caller, host) {
      const gone = caller === null ? null : revokedWords(caller)
      return gone === null ? connection(host) : { kind: 'refuse', words: gone }
    },
    reconsider({ exchange, caller, content }) {
      if (revokedWords(caller) !== null) return { kind: 'cut', afterMs: 0 }
      let nowMs: number
      try {
        nowMs = time.nowMs()
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        return goOn
      }
      const judged = judge.judge(exchange, caller, content, nowMs)
      const prepared = judged.candidate.prepared
      if (judged.kind !== 'block' || prepared === null) return goOn
      const { openStreams } = prepared.decision
      if (openStreams.kind === 'finish') return goOn
      const { fromMs } = resolver.timesOf(prepared, caller.site)
      const dueMs = fromMs + openStreams.afterSeconds * 1_000
      return { kind: 'cut', afterMs: Math.max(0, dueMs - nowMs) }
    },
    tighten(more) {
      for (const name of ['users', 'devices', 'tokens', 'launches'] as const) {
        for (const id of more[name] ?? []) revoked[name].add(id)
      }
    },
    explain(exchange, caller, content) {
      const every: Judged[] = []
      const counts = judge.judge(exchange, caller, content, exchange.atMs, every)
      return explainJudged(counts, every, compiled)
    },
    cedarRequest(exchange, caller, content) {
      const judged = judge.judge(exchange, caller, content, exchange.atMs)
      return JSON.stringify(requestJson(judged.request()))
    },
  }
}

const goOn = { kind: 'go-on', afterMs: 0 } as const
const noReasons: readonly Reason[] = []
const noInstead: Verdict['instead'] = []
const noWords: readonly string[] = []

function reasonsOf(judged: Judged, decision: Reason['decision'], facts: Facts) {
  const { answer } = judged
  const reasons: Reason[] = []
  for (const policy of answer.errors) {
    reasons.push({
      policy: policy.id,
      decision,
      words: `the policy ${policy.id} could not be evaluated`,
    })
  }
  for (const policy of answer.determining) {
    // The permit that would have let it pass is no reason for a refusal by a broken policy.
    if (policy.effect !== 'forbid') continue
    const words = policy.annotations.reason ?? `the policy ${policy.id} forbids it`
    reasons.push({ policy: policy.id, decision, words: fill(words, facts) })
  }
  if (reasons.length === 0) {
    reasons.push({ policy: 'no-permit', decision, words: 'no policy permits this' })
  }
  return reasons
}

/** Decisions a second with 10,000 approvals on one core, and cedar-wasm itself in the same run. */
import type { Content } from '#words/content.ts'
import type { Decision } from '#words/decision.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import { requestJson } from '#decide/ask.ts'
import { cedarWasm } from '#decide/cedar-wasm.ts'
import {
  sampleAsk,
  sampleCaller,
  sampleCatalog,
  sampleContent,
  sampleDecider,
  sampleDecision,
  sampleNowMs,
  starterPolicies,
} from '#decide/sample-bundle.ts'
import type { BenchOptions, Emit } from './rows.ts'
import { median } from './rows.ts'

const approvals = 10_000
const rounds = 7
const roundMs = 500
const targetPerSecond = 500_000

type Ask = readonly [Exchange, Caller, Content]
type Case = { readonly name: string; readonly target: boolean; readonly run: () => number }

export async function bench(emit: Emit, options: BenchOptions): Promise<void> {
  const { decider } = sampleDecider(decisions())
  const passing = asks((at) => ({ groups: ['everyone', `team-${at % approvals}`, 'office'] }))
  const warned = asks((at) => ({ groups: [`team-${at % approvals}`, 'grace'] }))
  const refused = asks(() => ({ groups: ['everyone'], tool: 'codex' }))
  const decide = (list: readonly Ask[], kind: string) =>
    looped(list, (ask) => {
      const verdict = decider.decide(...ask)
      if (verdict.kind !== kind) throw new Error(`expected ${kind}: ${verdict.message}`)
    })
  const cases: Case[] = [
    { name: 'allow', target: true, run: decide(passing, 'allow') },
    { name: 'warn, with its message', target: false, run: decide(warned, 'warn') },
    { name: 'block, with its message', target: false, run: decide(refused, 'block') },
    {
      name: 'the opening (cedarRequest)',
      target: false,
      run: looped(passing, (ask) => void decider.cedarRequest(...ask)),
    },
  ]
  if (options.peers)
    cases.push({ name: 'peer: cedar-wasm alone', target: false, run: peer(decider, passing) })
  const wanted = cases.filter(({ name }) => name.includes(options.only))

  // Interleaved: a neighbour's load falls on every case alike.
  const rates = new Map<string, number[]>(wanted.map(({ name }) => [name, []]))
  for (const { run } of wanted) run()
  for (let round = 0; round < rounds; round++) {
    for (const { name, run } of wanted) rates.get(name)!.push(run())
    // Lets the oracle work off its queue outside the measured time.
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  for (const { name, target } of wanted) {
    const value = median(rates.get(name)!)
    emit({
      bench: 'decide',
      case: name,
      metric: `decisions with ${approvals.toLocaleString('en-US')} approvals`,
      value,
      unit: '/s',
      n: rounds,
      ...(target && { target: `>= ${targetPerSecond}/s`, holds: value >= targetPerSecond }),
    })
  }
}

/** Each approval for another team, a ban and an announcement, as in a register of some years. */
function decisions(): Decision[] {
  const tools = sampleCatalog().tools.map((tool) => tool.id)
  const list = Array.from({ length: approvals }, (_, at) =>
    sampleDecision({
      id: `dec-${at}`,
      subject: { kind: 'tool', tool: tools[at % 2 === 0 ? 0 : 2]! },
      scope: { groups: [`team-${at}` as never] },
      effectiveFrom: { kind: 'local-midnight', date: '2026-02-01' },
      effectiveUntil: { kind: 'local-midnight', date: '2027-02-01' },
    }),
  )
  const ban = (id: string, tool: string, group: string, fromMs: number, announced?: number) =>
    sampleDecision({
      id,
      subject: { kind: 'tool', tool },
      status: 'prohibited',
      scope: { groups: [group as never] },
      effectiveFrom: { kind: 'instant', ms: fromMs },
      ...(announced !== undefined && { announceFrom: { kind: 'instant', ms: announced } }),
      alternatives: [{ tool: 'qwen-code' as never }],
    })
  return [
    ...list,
    ban('ban', 'codex', 'everyone', sampleNowMs - 1),
    ban('soon', 'claude-code', 'grace', sampleNowMs + 86_400_000, sampleNowMs - 1),
  ]
}

/** A caller of its own for each ask: nothing is remembered from the one before. */
function asks(caller: (at: number) => Record<string, unknown>): Ask[] {
  return Array.from({ length: 4_096 }, (_, index) => {
    const at = index * 2
    return [
      sampleAsk({ atMs: sampleNowMs + index }),
      sampleCaller({ user: `user-${index}`, ...caller(at) }),
      { ...sampleContent },
    ]
  })
}

function looped(list: readonly Ask[], each: (ask: Ask) => void): () => number {
  return () => {
    const start = performance.now()
    let count = 0
    let elapsed = 0
    while (elapsed < roundMs) {
      // A fresh copy of the caller, as the identify room makes one for each request.
      for (let at = 0; at < 256; at++) {
        const [exchange, caller, content] = list[(count + at) % list.length]!
        each([exchange, { ...caller }, content])
      }
      count += 256
      elapsed = performance.now() - start
    }
    return (count / elapsed) * 1_000
  }
}

function peer(decider: { cedarRequest(...ask: Ask): string }, list: readonly Ask[]): () => number {
  const cedar = cedarWasm()
  const texts = Object.values(starterPolicies().policies).join('\n')
  cedar.preparsePolicySet('bench', { staticPolicies: texts })
  const requests = list
    .slice(0, 64)
    .map((ask) => JSON.parse(decider.cedarRequest(...ask)) as ReturnType<typeof requestJson>)
  return () => {
    const start = performance.now()
    let count = 0
    while (performance.now() - start < roundMs) {
      const request = requests[count++ % requests.length]!
      cedar.statefulIsAuthorized({ ...request, preparsedPolicySetId: 'bench' })
    }
    return (count / (performance.now() - start)) * 1_000
  }
}

import type { Content } from '#words/content.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import { custodyMet, levelMet } from './ask.ts'
import type { Candidate } from './ask.ts'
import type { Answer } from './compile.ts'
import type { CompiledPolicies } from './compile.ts'
import { readsOf } from './reads.ts'

export type MemoKey = (
  exchange: Exchange,
  caller: Caller,
  content: Content,
  candidate: Candidate,
) => number

type Feature = { readonly size: number; readonly value: MemoKey }

/**
 * Most exchanges look alike to the policies: an approved tool, an inference request, nothing found.
 * Where all that the policies read has few values, the answer is worked out once for each.
 *
 * Exact, not approximate: the key holds every attribute that any policy can read. Where a policy
 * reads something without a bound (the time, a model name, the person), or where there is a finding,
 * there is no key (-1) and the policies run.
 */
export function memoKey(compiled: CompiledPolicies): MemoKey {
  const features: Feature[] = []
  for (const name of readsOf(compiled.policies.map(({ source }) => source.json))) {
    if (withoutFindings.has(name)) continue
    const feature = bounded[name]
    if (feature === undefined) return () => -1
    features.push(feature)
  }
  const possible = features.reduce((product, feature) => product * feature.size, 1)
  if (!Number.isSafeInteger(possible)) return () => -1
  const sizes = features.map(({ size }) => size)
  const values = features.map(({ value }) => value)
  return (exchange, caller, content, candidate) => {
    if (content.findings.length > 0) return -1
    let key = 0
    for (let at = 0; at < values.length; at++) {
      const value = values[at]!(exchange, caller, content, candidate)
      // A word that this version does not know has no number.
      if (value === undefined || value < 0) return -1
      key = key * sizes[at]! + value
    }
    return key
  }
}

const memoMax = 16_384

/** Answers by key and action. Bounded by being emptied. */
export class Memo {
  readonly #answers = new Map<number, Answer>()

  get(key: number): Answer | undefined {
    return this.#answers.get(key)
  }

  keep(key: number, answer: Answer): Answer {
    if (this.#answers.size >= memoMax) this.#answers.clear()
    this.#answers.set(key, answer)
    return answer
  }
}

const withoutFindings: ReadonlySet<string> = new Set([
  'findings',
  'dataClasses',
  'dataClassesKnown',
])

function words<Word extends string>(
  list: readonly Word[],
  read: (exchange: Exchange, caller: Caller, content: Content, candidate: Candidate) => Word,
): Feature {
  const numbers = new Map<string, number>(list.map((word, at) => [word, at]))
  return { size: list.length, value: (...all) => numbers.get(read(...all)) ?? -1 }
}

function flag(
  read: (exchange: Exchange, caller: Caller, content: Content, candidate: Candidate) => boolean,
): Feature {
  return {
    size: 2,
    value: (exchange, caller, content, candidate) =>
      read(exchange, caller, content, candidate) ? 1 : 0,
  }
}

const confidences = ['proven', 'claimed', 'guessed', 'unknown'] as const

/** Each as `ask.ts` puts it into the request. */
const bounded: Readonly<Record<string, Feature>> = {
  door: words(['base-url', 'tls'], (exchange) => exchange.door),
  transport: words(['http', 'websocket'], (exchange) => exchange.transport),
  wire: words(['anthropic-messages', 'openai-responses', 'opaque'], (exchange) => exchange.wire),
  purpose: words(
    ['inference', 'count', 'models', 'auth', 'telemetry', 'update', 'other', 'unknown'],
    (exchange) => exchange.purpose,
  ),
  status: words(
    ['approved', 'conditional', 'tolerated', 'under-review', 'prohibited', 'retired', 'unknown'],
    (_exchange, _caller, _content, candidate) => candidate.status,
  ),
  subject: words(
    ['none', 'tool', 'release', 'vendor', 'provider', 'model-family'],
    (_exchange, _caller, _content, { prepared }) => prepared?.decision.subject.kind ?? 'none',
  ),
  grace: flag((_exchange, _caller, _content, candidate) => candidate.grace),
  custody: words(['central', 'device-system', 'device-user'], (_exchange, { custody }) => custody),
  custodyMet: flag((_exchange, caller, _content, candidate) => custodyMet(caller, candidate)),
  level: words(['none', 'L0', 'L1', 'L2', 'L3'], (_exchange, caller) => caller.level),
  levelMet: flag((_exchange, caller, _content, candidate) => levelMet(caller, candidate)),
  credential: words(['token', 'launch'], (_exchange, caller) => caller.by),
  toolConfidence: words(confidences, (_exchange, caller) => caller.toolConfidence),
  releaseConfidence: words(confidences, (_exchange, caller) => caller.releaseConfidence),
  interactive: words(['yes', 'no', 'unknown'], (_exchange, caller) => caller.interactive),
  background: flag((_exchange, _caller, content) => content.background),
  ambiguous: flag((_exchange, _caller, content) => content.ambiguous !== null),
  'coverage.contextKnown': flag(
    (_exchange, _caller, { coverage }) => coverage.skipped['context-not-known'] === undefined,
  ),
  'coverage.unknownBlocks': flag((_exchange, _caller, { coverage }) => coverage.unknownBlocks > 0),
}

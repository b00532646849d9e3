import type { Catalog } from '#words/catalog.ts'
import type { Content } from '#words/content.ts'
import type { Subject } from '#words/decision.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { Instead } from '#words/verdict.ts'
import type { Judged } from './judge.ts'
import { localText } from './instants.ts'

const messageLengthMax = 239
const valueLengthMax = 80

/** Everything that a policy's `@reason` and `@advice` can name in braces. */
export type Facts = Readonly<Record<string, string>>

export function factsOf(
  catalog: Catalog,
  exchange: Exchange,
  caller: Caller,
  content: Content,
  judged: Judged,
  when: { readonly fromMs: number | null; readonly zone: string },
): Facts {
  const decision = judged.candidate.prepared?.decision
  const tool = catalog.tools.find((one) => one.id === caller.tool)
  const provider = catalog.providers.find((one) => one.id === exchange.provider)
  const name =
    tool?.name ?? (caller.tool === 'unknown' ? 'a tool that was not recognised' : caller.tool)
  const places = [...new Set(content.findings.map((finding) => finding.block))]
  return {
    tool: name,
    subject: decision === undefined ? name : subjectName(catalog, decision.subject),
    status: judged.candidate.status,
    decision: decision?.id ?? 'none',
    since: when.fromMs === null ? 'now' : localText(when.fromMs, when.zone),
    provider: provider?.name ?? exchange.provider,
    host: exchange.host,
    endpoint: `${exchange.method} ${exchange.target.split('?')[0] ?? ''}`,
    unknownBecause: exchange.unknownBecause ?? 'no such endpoint is listed',
    ambiguous: content.ambiguous ?? '',
    places: places.join(', '),
    model: content.model,
    custody: caller.custody,
    custodyDemanded: decision?.custody ?? 'any',
    level: caller.level,
    levelDemanded: decision?.level ?? 'none',
    start: tool?.start ?? `postern run ${caller.tool}`,
  }
}

function subjectName(catalog: Catalog, subject: Subject): string {
  const named = (list: readonly { readonly id: string; readonly name: string }[], id: string) =>
    list.find((one) => one.id === id)?.name ?? id
  switch (subject.kind) {
    case 'tool':
      return named(catalog.tools, subject.tool)
    case 'release':
      return `${named(catalog.tools, subject.tool)} ${subject.version}`
    case 'vendor':
      return named(catalog.vendors, subject.vendor)
    case 'provider':
      return named(catalog.providers, subject.provider)
    default:
      return `the model family ${subject.family}`
  }
}

/** Fills `{placeholders}`; one that nobody knows stays visible, so that its author sees it. */
export function fill(template: string, facts: Facts): string {
  return template.replace(/\{([A-Za-z]+)\}/g, (whole, name: string) => {
    const value = facts[name]
    return value === undefined ? whole : shownValue(value)
  })
}

/** Paths and model names are the client's words: nothing in them may steer a terminal or a reader. */
function shownValue(value: string): string {
  const plain = value.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
  return plain.length <= valueLengthMax ? plain : `${plain.slice(0, valueLengthMax - 1)}…`
}

/**
 * `M`, what the person reads: one line, actor first, below 240 characters. What does not fit is
 * left out from the back, but never the reference.
 */
export function messageText(input: {
  readonly words: string
  readonly passes: boolean
  readonly announced: boolean
  readonly instead: readonly Instead[]
  readonly reference: string
}): string {
  const words = input.words.charAt(0).toUpperCase() + input.words.slice(1)
  const first = input.instead[0]
  const use = first ? ` Use ${first.name} instead: ${first.start}.` : ''
  const passes = input.passes && !input.announced ? ' This request still passes.' : ''
  const end = ` Reference ${input.reference}.`
  const fits = (...parts: string[]) => parts.join('').length <= messageLengthMax
  const head = `Postern: ${words}.`
  if (fits(head, use, passes, end)) return `${head}${use}${passes}${end}`
  if (fits(head, use, end)) return `${head}${use}${end}`
  const room = messageLengthMax - use.length - end.length
  if (room >= 80) return `${head.slice(0, room - 2)}….`.slice(0, room) + use + end
  return `${head.slice(0, messageLengthMax - end.length - 2)}….${end}`
}

import type { Catalog, CatalogTool, ToolIdentity } from '#words/catalog.ts'
import type { Caller, Confidence } from '#words/exchange.ts'
import { Fault } from '#words/faults.ts'
import type { ToolId } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import { BoundedMap } from './bounded-map.ts'
import { patternDanger } from './safe-pattern.ts'

export type Shown = {
  readonly tool: ToolId | 'unknown'
  readonly confidence: Confidence
  readonly release: string
  readonly releaseConfidence: Confidence
  readonly interactive: Caller['interactive']
}

type Rule = {
  readonly tool: CatalogTool
  readonly confidence: ToolIdentity['confidence']
  readonly userAgent: RegExp | null
  readonly header: { readonly name: string; readonly pattern: RegExp } | null
  readonly interactive: RegExp | null
}

const stranger: Shown = {
  tool: 'unknown',
  confidence: 'unknown',
  release: 'unknown',
  releaseConfidence: 'unknown',
  interactive: 'unknown',
}

/**
 * Tells tool and release from the user agent and headers, by the catalog's rules.
 *
 * What a client says of itself is a claim: it is never `proven` here. When two tools fit equally
 * well the answer is `unknown`, which never matches an approval and always matches a ban. No
 * pattern sees more than 1 kB, and none that could backtrack without end is taken
 * (`catalog-invalid`): a user agent is written by whoever likes to.
 */
export function toolReader(catalog: Catalog): (rawHeaders: readonly string[]) => Shown {
  const rules = catalog.tools.flatMap((tool) =>
    tool.identities.map((identity) => compile(tool, identity)),
  )
  const names = [...new Set(rules.flatMap((rule) => rule.header?.name ?? []))].sort()
  const lengths = new Set(names.map((name) => name.length)).add('user-agent'.length)
  const seen = new BoundedMap<string, Shown>(limits.userAgentsCachedMax)
  return (rawHeaders) => {
    let userAgent = ''
    let said = ''
    let values: Map<string, string> | null = null
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const raw = rawHeaders[at] as string
      if (!lengths.has(raw.length)) continue
      const name = raw.toLowerCase()
      const value = rawHeaders[at + 1] as string
      if (name === 'user-agent') userAgent = value.slice(0, limits.userAgentBytesMax)
      else if (names.includes(name)) {
        const cut = value.slice(0, limits.userAgentBytesMax)
        ;(values ??= new Map()).set(name, cut)
        said += `\n${name}:${cut}`
      }
    }
    const key = userAgent + said
    const held = seen.get(key)
    if (held !== undefined) return held
    const shown = best(rules, userAgent, values ?? nothing)
    seen.set(key, shown)
    return shown
  }
}

const nothing: ReadonlyMap<string, string> = new Map()

function best(rules: readonly Rule[], userAgent: string, said: ReadonlyMap<string, string>): Shown {
  let top: { rank: number; shown: Shown } | null = null
  let rival = false
  for (const rule of rules) {
    const fit = fitOf(rule, userAgent, said)
    if (fit === null) continue
    if (top === null || fit.rank > top.rank) {
      rival = top !== null && rival && fit.rank === top.rank
      top = fit
    } else if (fit.rank === top.rank && fit.shown.tool !== top.shown.tool) rival = true
  }
  return top === null || rival ? stranger : top.shown
}

function fitOf(
  rule: Rule,
  userAgent: string,
  said: ReadonlyMap<string, string>,
): { rank: number; shown: Shown } | null {
  if (rule.userAgent === null && rule.header === null) return null
  const match = rule.userAgent?.exec(userAgent) ?? null
  if (rule.userAgent !== null && match === null) return null
  if (rule.header !== null) {
    const value = said.get(rule.header.name)
    if (value === undefined || !rule.header.pattern.test(value)) return null
  }
  const version = (match?.groups?.['version'] ?? '').slice(0, 64)
  const parts = (rule.userAgent === null ? 0 : 1) + (rule.header === null ? 0 : 1)
  return {
    rank: (rule.confidence === 'claimed' ? 8 : 0) + parts * 2 + (version === '' ? 0 : 1),
    shown: {
      tool: rule.tool.id,
      confidence: rule.confidence,
      release: version === '' ? 'unknown' : version,
      releaseConfidence: version === '' ? 'unknown' : rule.confidence,
      interactive:
        rule.interactive === null ? 'unknown' : rule.interactive.test(userAgent) ? 'yes' : 'no',
    },
  }
}

function compile(tool: CatalogTool, identity: ToolIdentity): Rule {
  const { userAgent, header, interactive } = identity
  return {
    tool,
    confidence: identity.confidence,
    userAgent: userAgent === undefined ? null : pattern(tool, userAgent),
    header:
      header === undefined
        ? null
        : { name: header.name.toLowerCase(), pattern: pattern(tool, header.pattern) },
    interactive: interactive === undefined ? null : pattern(tool, interactive),
  }
}

function pattern(tool: CatalogTool, source: string): RegExp {
  const danger = patternDanger(source)
  if (danger !== null) {
    throw new Fault('catalog-invalid', {
      outward: `Tool ${tool.id}: the pattern ${JSON.stringify(source)} ${danger}.`,
    })
  }
  return new RegExp(source, 'i')
}

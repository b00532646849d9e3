import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { cedarWasm } from './cedar-wasm.ts'

/** One policy as written, with its place, for messages that name the line. */
export type PolicySource = {
  readonly id: string
  readonly file: string
  /** 1-based line of the policy's first character. */
  readonly line: number
  readonly text: string
  readonly json: PolicyJson
}

/**
 * Reads policy texts (file name -> Cedar) with cedar-wasm's parser, in the order of file names.
 *
 * Fails with `policy-invalid`: text that does not parse, templates, a policy without an `@id`, an
 * id that is used twice, or more policies than the budget has time for.
 */
export function readPolicies(texts: Readonly<Record<string, string>>): readonly PolicySource[] {
  const cedar = cedarWasm()
  const sources: PolicySource[] = []
  const ids = new Set<string>()
  for (const file of Object.keys(texts).sort()) {
    const whole = texts[file] ?? ''
    const parts = cedar.policySetTextToParts(whole)
    if (parts.type === 'failure') {
      const [error] = parts.errors
      const start = error?.sourceLocations?.[0]?.start
      // cedar-wasm counts bytes of UTF-8.
      const before = start === undefined ? '' : Buffer.from(whole).toString('utf8', 0, start)
      throw invalid(file, lineAt(before), error?.message ?? 'it does not parse')
    }
    if (parts.policy_templates.length > 0) throw invalid(file, 1, 'templates are not used here')
    let from = 0
    for (const text of parts.policies) {
      const found = whole.indexOf(text, from)
      const line = lineAt(whole.slice(0, Math.max(found, 0)))
      from = Math.max(found, 0) + text.length
      const answer = cedar.policyToJson(text)
      if (answer.type === 'failure') {
        throw invalid(file, line, answer.errors[0]?.message ?? 'it does not parse')
      }
      const id = answer.json.annotations?.id
      if (!id) throw invalid(file, line, 'every policy starts with @id("a-name")')
      if (ids.has(id)) throw invalid(file, line, `the id ${id} is used twice`)
      ids.add(id)
      sources.push({ id, file, line, text, json: answer.json })
    }
  }
  if (sources.length > limits.policiesMax) {
    throw new Fault('policy-invalid', {
      outward:
        `There are ${sources.length} policies, ${limits.policiesMax} are allowed: ` +
        'approvals and exceptions are decisions in the register, not policies.',
    })
  }
  return sources
}

export function invalid(file: string, line: number, why: string): Fault {
  return new Fault('policy-invalid', { outward: `${file}:${line}: ${why}.` })
}

function lineAt(before: string): number {
  return before.split('\n').length
}

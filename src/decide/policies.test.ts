import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { askBuilder, quietAction, useAction } from './ask.ts'
import { CedarSet } from './cedar-value.ts'
import type { Request } from './compile-expression.ts'
import { compilePolicies } from './compile.ts'
import { localMidnightMs, localText } from './instants.ts'
import { messageText } from './message.ts'
import { Oracle } from './oracle.ts'
import {
  sampleAsk,
  sampleCaller,
  sampleCatalog,
  sampleContent,
  sampleNowMs,
  starterPolicies,
} from './sample-bundle.ts'
import { validatePolicies } from './validate.ts'

type Row = {
  readonly given: Readonly<Record<string, unknown>>
  readonly use: 'allow' | 'deny'
  readonly quietly?: 'allow' | 'deny'
  readonly policies: readonly string[]
}
const { policies, schema } = starterPolicies()
const compiled = compilePolicies(policies)
const oracle = new Oracle(compiled, 'starter-table', (what) => expect.fail(what))
const candidate = { status: 'approved', prepared: null, grace: false } as const
const plain = askBuilder(sampleCatalog()).build(
  sampleAsk(),
  sampleCaller(),
  sampleContent,
  ['claude'],
  candidate,
  sampleNowMs,
  useAction,
)

function requestOf({ given }: Row): Request {
  const { contextKnown, findings, ...rest } = given
  const context = { ...plain.context, ...(rest as typeof plain.context) }
  if (findings !== undefined) context['findings'] = new CedarSet(findings as string[])
  if (contextKnown !== undefined) {
    context['coverage'] = {
      ...(context['coverage'] as object),
      contextKnown: contextKnown as boolean,
    }
  }
  return { ...plain, context }
}

test('the starter policies say what the table says, and cedar-wasm says the same', () => {
  const path = join(import.meta.dirname, '../../policies/expected.yaml')
  const spoken = new Set<string>()
  for (const row of parse(readFileSync(path, 'utf8')) as Row[]) {
    const request = requestOf(row)
    const asked = [request, { ...request, action: quietAction }]
    const [use, quietly] = asked.map((one) => {
      const answer = compiled.authorize(one)
      expect(answer.errors).toEqual([])
      oracle.later(one, answer)
      for (const policy of answer.determining) spoken.add(policy.id)
      return answer
    })
    const counts = row.quietly === 'deny' ? quietly : use
    expect({
      use: use?.allow ? 'allow' : 'deny',
      ...(row.quietly && { quietly: quietly?.allow ? 'allow' : 'deny' }),
      policies: counts?.determining.map((policy) => policy.id),
      given: row.given,
    }).toEqual({ ...row, policies: [...row.policies] })
  }
  oracle.flush()
  // A policy that no row determines is a policy that nobody has thought through.
  expect(compiled.policies.map(({ id }) => id).filter((id) => !spoken.has(id))).toEqual([])
})

test('every starter policy has a reason, every forbid an advice, and they are valid', () => {
  for (const { id, effect, annotations } of compiled.policies) {
    if (id !== 'quiet') expect(annotations.reason, id).toBeTruthy()
    if (effect === 'forbid') expect(annotations.advice, id).toBeTruthy()
  }
  expect(() => validatePolicies(policies, schema)).not.toThrow()
})

test('what is refused names file, line, policy and construct', () => {
  const refuse = (text: string) => () => validatePolicies({ 'x.cedar': text }, schema)
  const message = (text: string) => expect.objectContaining({ outward: text })
  expect(
    refuse(
      '\n@id("a")\nforbid(principal, action, resource)\nwhen { decimal("1.0") == decimal("1.0") };',
    ),
  ).toThrow(
    message(
      'x.cedar:4: policy a uses `decimal`, which is outside the Cedar subset that gates compile.',
    ),
  )
  expect(refuse('permit(principal, action, resource);')).toThrow(/x\.cedar:1: every policy starts/)
  expect(refuse('@id("a") permit(principal')).toThrow(/^x\.cedar:1: /)
  expect(
    refuse('@id("a")\npermit(principal, action, resource)\nwhen { context.nothing };'),
  ).toThrow(/x\.cedar:3: policy a: .*nothing/)
  expect(refuse('@id("a") permit(principal == ?principal, action, resource);')).toThrow(/templates/)
})

test('midnight where the clocks skip midnight is the first moment of the day', () => {
  // Chile, 6 September 2026: 00:00 does not exist, the day begins at 01:00 (-03).
  expect(localMidnightMs('2026-09-06', 'America/Santiago')).toBe(
    Date.parse('2026-09-06T01:00:00-03:00'),
  )
  expect(localMidnightMs('2026-10-25', 'Europe/Berlin')).toBe(
    Date.parse('2026-10-25T00:00:00+02:00'),
  )
  expect(localText(Date.parse('2026-07-09T16:00:00Z'), 'Asia/Shanghai')).toBe(
    '2026-07-10 00:00 (Asia/Shanghai)',
  )
})

test('a message stays one line below 240 characters, and never loses its reference', () => {
  const instead = [
    { tool: 'x' as never, name: 'Qwen Code', start: 'postern run qwen-code', note: '' },
  ]
  for (const length of [10, 150, 170, 200, 1_000]) {
    const text = messageText({
      words: 'w'.repeat(length),
      passes: true,
      announced: false,
      instead,
      reference: 'ex_a',
    })
    expect(text.length).toBeLessThan(240)
    expect(text).toMatch(/^Postern: W.* Reference ex_a\.$/)
  }
})

import { expect, test } from 'vitest'
import { askBuilder, useAction } from './ask.ts'
import { compilePolicies } from './compile.ts'
import { memoKey } from './memo.ts'
import { readsOf } from './reads.ts'
import {
  sampleAsk,
  sampleCaller,
  sampleCatalog,
  sampleContent,
  sampleNowMs,
  starterPolicies,
} from './sample-bundle.ts'

const candidate = { status: 'approved', prepared: null, grace: false } as const
const keyOf = (text: string) =>
  memoKey(compilePolicies({ 'a.cedar': `@id("a") permit(${text};` }))(
    sampleAsk(),
    sampleCaller(),
    sampleContent,
    candidate,
  )

test('two exchanges with one key get one answer from the policies themselves', () => {
  const compiled = compilePolicies(starterPolicies().policies)
  const key = memoKey(compiled)
  const builder = askBuilder(sampleCatalog())
  const seen = new Map<number, string>()
  for (const status of ['approved', 'prohibited', 'under-review', 'unknown'] as const) {
    for (const purpose of ['inference', 'auth', 'update', 'unknown'] as const) {
      for (const ambiguous of [null, 'twice']) {
        for (const skipped of [{}, { 'context-not-known': 1 }, { 'image-bytes': 2 }]) {
          for (const user of ['mei', 'ana']) {
            const exchange = sampleAsk({ purpose })
            const caller = sampleCaller({ user })
            const coverage = { ...sampleContent.coverage, skipped } as typeof sampleContent.coverage
            const content = { ...sampleContent, ambiguous, coverage }
            const weighed = { status, prepared: null, grace: false }
            const request = builder.build(
              exchange,
              caller,
              content,
              [],
              weighed,
              sampleNowMs,
              useAction,
            )
            const said = compiled
              .authorize(request)
              .determining.map(({ id }) => id)
              .join()
            const at = key(exchange, caller, content, weighed)
            expect(at).toBeGreaterThanOrEqual(0)
            expect(seen.get(at) ?? said).toBe(said)
            seen.set(at, said)
          }
        }
      }
    }
  }
  expect(seen.size).toBe(4 * 4 * 2 * 2)
})

test('where a policy can depend on more than the key holds, there is no key', () => {
  expect(keyOf('principal, action, resource) when { context.status == "approved" }')).toBe(0)
  for (const text of [
    'principal, action, resource) when { context.now > 5 }',
    'principal, action, resource) when { context.model like "claude*" }',
    'principal, action, resource) when { context has status }',
    'principal, action, resource) when { context == {} }',
    'principal, action, resource) when { principal.site == "berlin" }',
    'principal in Group::"a", action, resource)',
    'principal, action, resource in Tool::"codex")',
    'principal, action, resource) when { context.coverage == {} }',
  ]) {
    expect(keyOf(text), text).toBe(-1)
  }
})

test('reads are found inside every kind of expression', () => {
  const [policy] = compilePolicies({
    'a.cedar': `@id("a") permit(principal, action, resource) when {
      if [context.door].contains(context.purpose) then context.grace else !context.coverage.complete
    };`,
  }).policies
  expect([...readsOf([policy!.source.json])].sort()).toEqual([
    'coverage.complete',
    'door',
    'grace',
    'purpose',
  ])
})

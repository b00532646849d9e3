import { expect, test } from 'vitest'
import { canonicalJson } from '#words/canonical.ts'
import type { Content } from '#words/content.ts'
import { realWorld } from '#words/clock.ts'
import * as some from '#test/bench/record-fixture.ts'
import { ByteWriter } from './bytes.ts'
import { describeOutcome, describeVerdict } from './describe.ts'
import { readHead } from './leaf-head.ts'
import { commitment, createLeafWriter, readOpenings } from './leaf.ts'
import type { Item } from './leaf.ts'

const nasty = 'claude "x" \\ \u0000 \u2028 \ud83d\ude00 \ud800'.repeat(12)
const content: Content = {
  ...some.someContent,
  model: nasty,
  ambiguous: nasty,
  coverage: { ...some.someContent.coverage, skipped: { zeta: 1, 'image-bytes': 2 } },
  findings: [1, 2].map((start) => ({
    class: 'hidden-unicode',
    rule: 'tag-characters',
    block: 'user-text' as const,
    place: '/messages/0',
    start,
    end: start + 1,
    count: 3,
    confidence: 1,
  })),
}
const caller = { ...some.someCaller(1), release: nasty }

function leafOf(item: Item, counter: number) {
  const writer = createLeafWriter(realWorld, some.someNode, some.someKeys().pseudonymKey)
  const leaves = new ByteWriter(16)
  const openings = new ByteWriter(16)
  writer.write(item, counter, counter, leaves, openings)
  return {
    text: leaves.view(0, leaves.length).toString(),
    leaf: leaves.view(0, leaves.length),
    openings: openings.view(0, openings.length),
  }
}

test.each([
  [describeVerdict(some.someExchange(1), caller, content, some.someVerdict, '{}')],
  [describeVerdict(some.someExchange(1), caller, some.someContent, some.someVerdict, '{}')],
  [
    describeOutcome(
      41,
      'ex_a',
      { subject: 'user-1@example.com' },
      { ...some.someOutcome, fault: nasty, findings: { 'b/c': 1, 'a/b': 2 } },
      1,
    ),
  ],
])('a leaf is canonical JSON and names nobody', (item) => {
  const { text, leaf, openings } = leafOf(item, 42)
  expect(text).toBe(canonicalJson(JSON.parse(text)))
  expect(text).not.toContain('user-1@example.com')
  expect(readHead(leaf)).toMatchObject({ counter: 42, kind: item.kind, of: item.of })
  const { sealed } = JSON.parse(text) as { sealed: Record<string, string> }
  for (const { fields } of readOpenings(openings, 42)) {
    for (const [name, { salt, value }] of Object.entries(fields)) {
      expect(sealed[name]).toBe(commitment(salt, value))
    }
  }
  expect(Object.keys(sealed)).toHaveLength(item.sealed.length)
})

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { patternDanger } from '#identify/safe-pattern.ts'
import { toolReader } from '#identify/tools.ts'
import { loadCatalog } from './catalog-files.ts'
import { patternComplaint } from './pattern.ts'

test('every pattern of the catalog may meet the text of a stranger', () => {
  const catalog = loadCatalog('catalog')
  const patterns = [
    ...catalog.tools.flatMap((tool) =>
      tool.identities.flatMap((one) => [one.userAgent, one.header?.pattern, one.interactive]),
    ),
    ...catalog.families.flatMap((family) => family.aliases),
  ].filter((pattern) => pattern !== undefined)
  expect(
    patterns.flatMap((pattern) => {
      const danger = patternDanger(pattern)
      return danger === null ? [] : [`${pattern} ${danger}`]
    }),
  ).toEqual([])
})

test('the gate reads the tools as the catalog means them', () => {
  const read = toolReader(loadCatalog('catalog'))
  expect(read(['User-Agent', 'claude-cli/2.1.330 (external, sdk-cli)'])).toMatchObject({
    tool: 'claude-code',
    release: '2.1.330',
    confidence: 'claimed',
    interactive: 'no',
  })
  expect(
    read([
      'originator',
      'codex_exec',
      'User-Agent',
      'codex_exec/0.169.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.169.0)',
    ]),
  ).toMatchObject({ tool: 'codex', release: '0.169.0', interactive: 'no' })
  expect(read(['User-Agent', 'curl/8.0'])).toMatchObject({ tool: 'unknown' })
})

test.each([
  ['claude-sonnet-4-5-20250929', ['claude', 'claude-sonnet']],
  ['us.anthropic.claude-opus-4-1-20250805-v1:0', ['claude', 'claude-opus']],
  ['anthropic/claude-3-5-sonnet', ['claude', 'claude-sonnet']],
  ['opus', ['claude', 'claude-opus']],
  ['gpt-5.1-codex', ['gpt']],
  ['openai/gpt-5', ['gpt']],
  ['qwen3-coder-plus', ['qwen']],
  ['gemini-3-pro', ['gemini']],
  ['sample-model', []],
])('model %s belongs to %j', (model, families) => {
  const found = loadCatalog('catalog').families.filter((family) =>
    family.aliases.some((alias) => new RegExp(alias, 'i').test(model)),
  )
  expect(found.map((family) => family.id as string).sort()).toEqual(families)
})

test.each([
  ['(a+)+$', 'repeats a group'],
  ['(?:a|aa)*b', 'repeats a group'],
  ['((a))*', 'repeats a group'],
  ['(?=a)b', 'looks ahead'],
  ['(a)\\1', 'refers back'],
  ['a{300}', 'counts above'],
  ['(unclosed', 'not a regular expression'],
])('%s is refused', (pattern, words) => {
  expect(patternComplaint(pattern)).toContain(words)
})

test('what the catalog takes, gates take', () => {
  let taken = 0
  const piece = fc.constantFrom(
    'a',
    '.',
    '\\d',
    '\\.',
    '\\(',
    '[a-z]',
    '[)+]',
    '(?:',
    '(?<v>',
    '(',
    ')',
    '|',
    '*',
    '+',
    '?',
    '{2,4}',
    '{1,}',
    '^',
    '$',
    '(?=',
    '\\1',
    '/',
  )
  fc.assert(
    fc.property(fc.array(piece, { minLength: 1, maxLength: 12 }), (pieces) => {
      const pattern = pieces.join('')
      if (patternComplaint(pattern) !== null) return
      taken += 1
      expect(patternDanger(pattern)).toBe(null)
    }),
    { numRuns: 4_000 },
  )
  expect(taken).toBeGreaterThan(200)
})

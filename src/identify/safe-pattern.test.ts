import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { limits } from '#words/limits.ts'
import { patternDanger } from './safe-pattern.ts'

test.each([
  '(a+)+b',
  '(a*)*',
  '(?:a|a)*b',
  '(x+x+)+y',
  '(a)\\1',
  '^(?=a)b',
  '(?<!x)y',
  'a{1000}',
  '(?:(?:a+)b)+',
  '(',
])('%s is refused', (source) => {
  expect(patternDanger(source)).not.toBeNull()
})

test('every pattern of the catalog is taken, and no text of 1 kB stalls it', () => {
  const sources = readdirSync('catalog/tools').flatMap((file) => {
    const text = readFileSync(`catalog/tools/${file}`, 'utf8')
    const tool = parse(text) as {
      identities: { userAgent?: string; interactive?: string; header?: { pattern: string } }[]
    }
    return tool.identities.flatMap(({ userAgent, interactive, header }) =>
      [userAgent, interactive, header?.pattern].filter((source) => source !== undefined),
    )
  })
  expect(sources.length).toBeGreaterThan(10)
  for (const source of sources) {
    expect(patternDanger(source), source).toBeNull()
    const pattern = new RegExp(source, 'i')
    const lead = source.replaceAll(/[\\^$]|\(\?[^>]*>|\[[^\]]*\][*+?]?|[()?+*|]/g, '').slice(0, 40)
    const startMs = performance.now()
    for (const filler of ['0', '.', 'a', '-', '_', ' ', 'codex_', '1.', 'external, cli']) {
      for (const front of ['', lead, `${lead} `]) {
        pattern.test((front + filler.repeat(1_024)).slice(0, limits.userAgentBytesMax))
      }
    }
    expect(performance.now() - startMs).toBeLessThan(100)
  }
})

import { expect, test } from 'vitest'
import { limits } from '#words/limits.ts'
import { createStrangers, sourceOf } from './strangers.ts'

test('a minute of any number of strangers is one bounded entry', () => {
  let nowMs = Date.UTC(2026, 10, 24)
  const strangers = createStrangers({
    world: { nowMs: () => nowMs, monotonicMs: () => nowMs, randomBytes: (n) => Buffer.alloc(n) },
  })
  const more = 1_000
  for (let at = 0; at < limits.strangersTrackedMax + more; at += 1) {
    strangers.saw(`10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`, 'token-unknown')
  }
  strangers.saw('10.0.0.7', 'token-missing')
  expect(strangers.drain()).toEqual([])
  nowMs += 60_000
  const [draft, ...rest] = strangers.drain()
  expect(rest).toEqual([])
  expect(draft?.public).toMatchObject({
    failures: limits.strangersTrackedMax + more + 1,
    sources: limits.strangersTrackedMax,
    sourcesMore: true,
    codes: { 'token-missing': 1, 'token-unknown': limits.strangersTrackedMax + more },
  })
  const loudest = JSON.parse(draft?.private['loudest'] ?? '') as Record<string, number>
  expect(Object.keys(loudest).length).toBe(limits.strangerSourcesShownMax)
  expect(loudest['10.0.0.7']).toBe(2)
  expect(JSON.stringify(draft).length).toBeLessThan(limits.entryBytesMax)
  expect(strangers.drain(true)).toEqual([])
})

test('nobody drains for days: what is held stays bounded and nothing is lost', () => {
  let nowMs = 0
  const strangers = createStrangers({
    world: { nowMs: () => nowMs, monotonicMs: () => nowMs, randomBytes: (n) => Buffer.alloc(n) },
  })
  for (let minute = 0; minute < 100; minute += 1) {
    strangers.saw('10.0.0.1', 'token-missing')
    nowMs += 60_000
  }
  const drafts = strangers.drain(true)
  expect(drafts.length).toBeLessThan(20)
  expect(drafts.reduce((sum, draft) => sum + Number(draft.public['failures']), 0)).toBe(100)
})

test('an IPv6 subscriber is one source', () => {
  expect(sourceOf('2001:db8:1:2:3:4:5:6')).toBe(sourceOf('2001:db8:1:2::9'))
  expect(sourceOf('2001:db8:1:3::9')).not.toBe(sourceOf('2001:db8:1:2::9'))
  expect(sourceOf('::ffff:10.0.0.1')).toBe('10.0.0.1')
})

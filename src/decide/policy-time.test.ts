import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openPolicyTime } from './policy-time.ts'

const start = Date.parse('2026-07-01T00:00:00Z')
const years = 4 * 365 * 86_400_000
let folder: string
let clock: number
let monotonic: number
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'policy-time-'))
  clock = start
  monotonic = 0
})
afterEach(() => rmSync(folder, { recursive: true }))

const open = () =>
  openPolicyTime({
    world: {
      nowMs: () => clock,
      monotonicMs: () => monotonic,
      randomBytes: (length) => Buffer.alloc(length),
    },
    file: join(folder, 'time'),
  })
const pass = (ms: number) => {
  clock += ms
  monotonic += ms
}
const stepped = expect.objectContaining({ code: 'clock-stepped' })

test('one second back: time stands still; more than five: nothing is decided', () => {
  const time = open()
  pass(10_000)
  expect(time.nowMs()).toBe(start + 10_000)
  clock -= 1_000
  expect(time.nowMs()).toBe(start + 10_000)
  expect(time.source()).toBe('highest-seen')
  clock -= 4_001
  expect(() => time.nowMs()).toThrow(stepped)
})

test('four years forward counts and is not remembered, so four years back is service again', () => {
  const time = open()
  time.nowMs()
  clock += years
  expect(time.nowMs()).toBe(start + years)
  expect(time.source()).toBe('clock-unconfirmed')
  clock -= years
  pass(1_000)
  expect(time.nowMs()).toBe(start + 1_000)
})

test('control vouches for a jump, and then it is remembered over a restart', () => {
  const time = open()
  time.nowMs()
  clock += years
  time.learn(start + years)
  expect(time.nowMs()).toBe(start + years)
  time.close()
  clock -= years
  expect(() => open().nowMs()).toThrow(stepped)
})

test('a quiet hour is no jump; an hour asleep is, and is used', () => {
  const time = open()
  pass(3_600_000)
  expect(time.nowMs()).toBe(clock)
  expect(time.source()).toBe('clock')
  clock += 3_600_000
  expect(time.nowMs()).toBe(clock)
  expect(time.source()).toBe('clock-unconfirmed')
})

test('written at most once a second, and a damaged file stops service', () => {
  const time = open()
  pass(1_000)
  time.nowMs()
  const file = join(folder, 'time')
  const written = readFileSync(file, 'utf8')
  pass(500)
  time.nowMs()
  expect(readFileSync(file, 'utf8')).toBe(written)
  pass(500)
  time.nowMs()
  expect(readFileSync(file, 'utf8')).toBe(`${clock}\n`)
  writeFileSync(file, 'yesterday')
  expect(() => open()).toThrow(stepped)
})

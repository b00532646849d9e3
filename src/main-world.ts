import { readFileSync } from 'node:fs'
import { realWorld } from '#words/clock.ts'
import type { World } from '#words/clock.ts'

/**
 * The real world; under `POSTERN_TESTING=1` its clock is moved by `POSTERN_CLOCK_OFFSET_MS`, or
 * follows the file that `POSTERN_CLOCK_FILE` names (an offset in milliseconds, read each time), so
 * that a test can set the clock of a running gate. Nothing else looks at these variables.
 */
export function testableWorld(): World {
  const { env } = process
  if (env['POSTERN_TESTING'] !== '1') return realWorld
  const file = env['POSTERN_CLOCK_FILE']
  if (file !== undefined) return { ...realWorld, nowMs: () => Date.now() + offsetIn(file) }
  const offset = Number(env['POSTERN_CLOCK_OFFSET_MS'] ?? 0)
  return { ...realWorld, nowMs: () => Date.now() + offset }
}

function offsetIn(file: string): number {
  const text = readFileSync(file, 'utf8').trim()
  return /^-?\d+$/.test(text) ? Number(text) : 0
}

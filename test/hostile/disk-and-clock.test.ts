/** A full disk and a wrong clock: refused with a clear message, and service resumes by itself. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ask } from '#test/harness/ask.ts'
import type { Answered } from '#test/harness/ask.ts'
import { approvedBut } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import { roadTo } from '#test/harness/journey.ts'
import { suite } from '#test/harness/needs.ts'
import { TestProvider } from '#test/harness/provider.ts'

const yearMs = 365.25 * 24 * 3_600_000
const body = JSON.stringify({
  model: 'claude-sonnet-4-5',
  max_tokens: 5,
  messages: [{ role: 'user', content: 'hi' }],
})

function say(postern: Postern): Promise<Answered> {
  const road = roadTo(postern, 'claude-code', 'base-url')
  return ask({ client: 'claude-code', road, target: '/v1/messages', body })
}

suite('disk full', [{ root: true }, { command: 'mount', debian: 'mount' }], () => {
  test('refused while there is no room, and again in service when there is', async () => {
    await using provider = await TestProvider.open()
    await using postern = await Postern.make({
      provider: provider.url,
      decisions: approvedBut([]),
      workers: 1,
    })
    const spool = join(postern.home, 'spool')
    mkdirSync(spool, { recursive: true })
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', spool])
    try {
      await postern.startControl()
      await postern.startGate()
      expect((await say(postern)).status).toBe(200)
      provider.forget()

      const filler = join(spool, 'filler')
      const free = statfsSync(spool)
      writeFileSync(filler, Buffer.alloc(free.bavail * free.bsize))
      // What fits into the last page may still pass; then nothing does.
      let full = await say(postern)
      for (let tries = 0; tries < 200 && full.status === 200; tries++) full = await say(postern)
      const seen = provider.received.length
      expect(full.status, full.body).toBe(503)
      expect(full.body).toMatch(/disk|space|spool/i)
      expect((await say(postern)).status).toBe(503)
      expect(provider.received.length, 'no receipt, no passage').toBe(seen)

      rmSync(filler)
      let again = await say(postern)
      for (let tries = 0; tries < 20 && again.status !== 200; tries++) {
        await sleep(500)
        again = await say(postern)
      }
      expect(again.status, again.body).toBe(200)
    } finally {
      await postern.stop('gate', 'SIGKILL')
      await postern.stop('control', 'SIGKILL')
      spawnSync('umount', ['-l', spool])
    }
  })
})

test('clock: one second back, four years forward, four years back', async () => {
  await using provider = await TestProvider.open()
  const startMs = Date.now()
  const inTwoYears = new Date(startMs + 2 * yearMs).toISOString().slice(0, 10)
  await using postern = await Postern.up({
    provider: provider.url,
    decisions: approvedBut(
      [
        {
          id: 'dec-claude-code-ban',
          tool: 'claude-code',
          status: 'prohibited',
          from: inTwoYears,
          alternatives: ['qwen-code'],
        },
      ],
      { 'claude-code': inTwoYears },
    ),
    startMs,
    tokenDays: 360,
  })
  expect((await say(postern)).status).toBe(200)
  // Control shares the clock of the test, and would put its signature under a wrong one.
  await postern.stop('control')

  postern.clock?.set(Date.now() - 1_000)
  expect((await say(postern)).status, 'a small step back goes on').toBe(200)

  provider.forget()
  postern.clock?.set(Date.now() + 4 * yearMs)
  const ahead = await say(postern)
  // The token has run out by then, and so has the bundle: neither lets anything pass.
  expect([401, 451, 503], ahead.body).toContain(ahead.status)
  expect(ahead.body).toMatch(/Postern: /)
  expect(provider.received).toEqual([])

  postern.clock?.set(Date.now())
  expect((await say(postern)).status, 'a far jump is not remembered').toBe(200)

  provider.forget()
  postern.clock?.set(Date.now() - 4 * yearMs)
  const behind = await say(postern)
  expect(behind.status, behind.body).toBe(503)
  expect(behind.body).toMatch(/clock/i)
  expect(provider.received, 'a ban cannot be lifted by turning back the clock').toEqual([])

  postern.clock?.set(Date.now())
  expect((await say(postern)).status).toBe(200)
})

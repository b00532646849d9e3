/** Nothing is lost: processes are killed at random moments while requests are on the road. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomBytes, randomInt } from 'node:crypto'
import { expect, test } from 'vitest'
import { ask } from '#test/harness/ask.ts'
import { approvedBut } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import { roadTo } from '#test/harness/journey.ts'
import { readLeaves } from '#test/harness/log-tiles.ts'
import { howMany } from '#test/harness/needs.ts'
import { TestProvider, parsed } from '#test/harness/provider.ts'

const rounds = howMany({ full: 50, quick: 4 })
const clients = 8
const marker = /crash-[0-9a-f]{24}/g

test(
  `kill -9 of gate, control or both, ${rounds} rounds under load`,
  { timeout: 600_000 },
  async () => {
    await using provider = await TestProvider.open()
    await using postern = await Postern.up({ provider: provider.url, decisions: approvedBut([]) })

    const ending = new AbortController()
    let answered = 0
    const client = async (): Promise<void> => {
      while (!ending.signal.aborted) {
        // The model stands in the public part of the leaf, so it can carry a mark.
        const model = `crash-${randomBytes(12).toString('hex')}`
        const body = JSON.stringify({
          model,
          max_tokens: 5,
          messages: [{ role: 'user', content: 'hi' }],
        })
        try {
          const road = roadTo(postern, 'claude-code', 'base-url')
          const answer = await ask({ client: 'claude-code', road, target: '/v1/messages', body })
          if (answer.status === 200) answered++
          else await sleep(20)
        } catch {
          // The gate is down: that is what this test does.
          await sleep(50)
        }
      }
    }
    const load = Promise.all(Array.from({ length: clients }, client))

    const victims = [['gate'], ['control'], ['gate', 'control']] as const
    for (let round = 0; round < rounds; round++) {
      await sleep(randomInt(60, 500))
      const killed = victims[randomInt(victims.length)] ?? ['gate']
      await Promise.all(killed.map((which) => postern.stop(which, 'SIGKILL')))
      if (postern.control === null) await postern.startControl()
      if (postern.gate === null) await postern.startGate()
    }
    await sleep(500)
    ending.abort()
    await load

    const seen = provider.received.map(({ body }) => String(parsed(body)?.['model']))
    expect(answered).toBeGreaterThan(rounds)
    expect(new Set(seen).size, 'the provider saw a request twice').toBe(seen.length)

    const verdictsOf = (): Map<string, number> => {
      const found = new Map<string, number>()
      for (const leaf of readLeaves(join(postern.home, 'log'))) {
        // One verdict names the mark once; its outcome does not.
        for (const mark of new Set(leaf.match(marker))) found.set(mark, (found.get(mark) ?? 0) + 1)
      }
      return found
    }
    const missing = (): readonly string[] => {
      const found = verdictsOf()
      return seen.filter((mark) => !found.has(mark))
    }
    const endMs = performance.now() + 120_000
    while (missing().length > 0 && performance.now() < endMs) await sleep(500)
    expect(
      missing(),
      `of ${seen.length} requests\n${postern.said()}\n${postern.logTail('gate')}\n${postern.logTail('control')}`,
    ).toEqual([])
    expect([...verdictsOf().values()].filter((times) => times > 1)).toEqual([])

    const verified = postern.cli('log', 'verify')
    expect(verified.code, verified.stdout + verified.stderr).toBe(0)
  },
)

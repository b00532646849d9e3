/** A WebSocket that was opened before a ban is governed after it, message by message. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { converse, openResponsesSocket } from '#test/harness/ask.ts'
import { approvedBut } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import { doors, recentMidnight, roadTo } from '#test/harness/journey.ts'
import { TestProvider, hello } from '#test/harness/provider.ts'

const midnight = recentMidnight()
let provider: TestProvider

beforeAll(async () => {
  provider = await TestProvider.open()
})
afterAll(() => provider[Symbol.asyncDispose]())

const prompt = (text: string) => ({
  type: 'response.create',
  model: 'gpt-5.1-codex',
  input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }],
})

test.each(doors)('%s door', async (door) => {
  provider.forget()
  await using postern = await Postern.up({
    provider: provider.url,
    decisions: approvedBut(
      [
        {
          id: 'dec-codex-ban',
          tool: 'codex',
          status: 'prohibited',
          from: midnight.date,
          alternatives: ['qwen-code'],
        },
      ],
      { codex: midnight.date },
    ),
    startMs: midnight.ms - 60_000,
  })
  const ws = await openResponsesSocket(roadTo(postern, 'codex', door))
  const before = await converse(ws, prompt('before'))
  expect(JSON.stringify(before.events)).toContain(hello.slice(0, 5))
  expect(before.events.at(-1)?.['type']).toBe('response.completed')

  await postern.stop('control')
  postern.clock?.set(midnight.ms + 1_000)
  const after = await converse(ws, prompt('after'))
  expect(after.events.map((event) => event['type'])).toContain('response.failed')
  expect(JSON.stringify(after.events)).toMatch(
    /Postern: Codex is prohibited since .*ex_[a-z2-7]{20}/,
  )
  expect(after.closed).toBeGreaterThanOrEqual(1000)
  expect(provider.prompts().map(({ body }) => body.toString())).toEqual([
    expect.stringContaining('before'),
  ])
  ws.terminate()
})

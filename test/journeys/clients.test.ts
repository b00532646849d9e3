/** Claude Code and Codex themselves, not interactively, through both doors. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installClient, needsClient } from '#test/harness/client-install.ts'
import { clientHome, providerKey, runClient } from '#test/harness/clients.ts'
import type { Ran } from '#test/harness/clients.ts'
import { approvedBut } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import type { Person } from '#test/harness/gate.ts'
import { doors, misleading, recentMidnight, roadTo, toolNames } from '#test/harness/journey.ts'
import type { DoorName } from '#test/harness/journey.ts'
import { suite } from '#test/harness/needs.ts'
import { TestProvider, header, hello } from '#test/harness/provider.ts'

const clients = ['claude-code', 'codex'] as const
const midnight = recentMidnight()
const hourMs = 3_600_000

let provider: TestProvider
let postern: Postern

async function run(
  client: (typeof clients)[number],
  door: DoorName,
  person: Person = 'li.wei',
): Promise<Ran & { done: string }> {
  const road = roadTo(postern, client, door, { person })
  using at = clientHome(client, road)
  const ran = await runClient({ client, road, prompt: 'say hi', at })
  const file = join(at.project, 'done.txt')
  return { ...ran, done: existsSync(file) ? readFileSync(file, 'utf8') : '' }
}

suite('clients', clients.map(needsClient), () => {
  beforeAll(async () => {
    for (const client of clients) installClient(client)
    provider = await TestProvider.open()
    const bans = clients.map((tool) => ({
      id: `dec-${tool}-ban`,
      tool,
      status: 'prohibited',
      from: midnight.date,
      announceFrom: midnight.dayBefore,
      alternatives: ['qwen-code', 'opencode'],
    }))
    postern = await Postern.up({
      provider: provider.url,
      decisions: approvedBut(bans, { 'claude-code': midnight.date, codex: midnight.date }),
      startMs: midnight.ms - 30 * hourMs,
      config: 'bundle: { validHours: 720 }\n',
    })
  })
  afterAll(async () => {
    await postern[Symbol.asyncDispose]()
    await provider[Symbol.asyncDispose]()
  })

  const rows = clients.flatMap((client) => doors.map((door) => [client, door] as const))

  describe('before anything is announced', () => {
    test.each(rows)('%s by the %s door: the answer arrives', async (client, door) => {
      provider.forget()
      const ran = await run(client, door)
      expect(ran, JSON.stringify(ran)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(hello),
      })
      expect(ran.stdout).not.toContain('Postern:')
      const [prompt] = provider.prompts().slice(-1)
      const key = header(
        prompt?.rawHeaders ?? [],
        client === 'codex' ? 'authorization' : 'x-api-key',
      )
      expect(key).toBe(client === 'codex' ? `Bearer ${providerKey}` : providerKey)
      expect(JSON.stringify(prompt?.rawHeaders)).not.toContain('pst_')
    })

    test.each(rows)('%s by the %s door: a tool call is executed', async (client, door) => {
      provider.forget()
      provider.script = (_request, nth) =>
        nth === 0
          ? { kind: 'tool', command: 'echo executed > done.txt' }
          : { kind: 'text', text: hello }
      const ran = await run(client, door)
      provider.script = () => ({ kind: 'text', text: hello })
      expect(ran.done, JSON.stringify(ran)).toBe('executed\n')
      expect(ran.stdout).toContain(hello)
      expect(provider.prompts().length).toBeGreaterThanOrEqual(2)
    })
  })

  test('the built-in provider of Codex comes by WebSocket, and the TLS door catches it', async () => {
    provider.forget()
    const ran = await run('codex', 'tls')
    expect(ran.code, JSON.stringify(ran)).toBe(0)
    expect(provider.prompts().map(({ transport }) => transport)).toContain('websocket')
  })

  describe('announced', () => {
    beforeAll(() => postern.clock?.set(midnight.ms - 2 * hourMs))

    test.each(rows)('%s by the %s door: warned, with the date', async (client, door) => {
      const ran = await run(client, door)
      expect(ran.code, JSON.stringify(ran)).toBe(0)
      expect(ran.stdout).toContain(hello)
      expect(ran.stdout).toMatch(new RegExp(`Postern: .*${toolNames[client]}.*${midnight.date}`))
    })
  })

  describe('around midnight, with control stopped', () => {
    beforeAll(() => postern.stop('control'))

    test.each(rows)('%s by the %s door: passes one second before', async (client, door) => {
      postern.clock?.hold(midnight.ms - 1_000)
      const ran = await run(client, door)
      expect(ran, JSON.stringify(ran)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(hello),
      })
    })

    test.each(rows)('%s by the %s door: refused one second after', async (client, door) => {
      postern.clock?.hold(midnight.ms + 1_000)
      provider.forget()
      postern.verdicts.length = 0
      const ran = await run(client, door)
      const said = `${ran.stdout}\n${ran.stderr}`
      expect(ran.code, said).toBe(1)
      expect(said).toMatch(
        new RegExp(
          `Postern: ${toolNames[client]} is prohibited since ${midnight.date}.*Asia/Shanghai`,
        ),
      )
      expect(said).toContain(`dec-${client}-ban`)
      expect(said).toContain('postern run qwen-code')
      expect(said).toMatch(/ex_[a-z2-7]{20}/)
      expect(said).not.toMatch(misleading)
      expect(provider.prompts()).toEqual([])
      // An upgrade names no model: what counts is how often the prompt was put.
      const asked = postern.verdicts.filter(
        ({ purpose, model }) => purpose === 'inference' && model !== '',
      )
      expect(asked.length, JSON.stringify(asked)).toBeLessThanOrEqual(3)
    })

    test.each(rows)(
      '%s by the %s door: still passes where midnight has not come',
      async (client, door) => {
        const ran = await run(client, door, 'anna.schmidt')
        expect(ran, JSON.stringify(ran)).toMatchObject({
          code: 0,
          stdout: expect.stringContaining(hello),
        })
      },
    )
  })
})

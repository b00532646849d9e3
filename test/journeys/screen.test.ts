/** What a developer reads on the screen of an interactive session when the tool is prohibited. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { installClient, needsClient } from '#test/harness/client-install.ts'
import { clientEnvironment, clientHome } from '#test/harness/clients.ts'
import { decisionsText } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import { doors, misleading, roadTo, toolNames } from '#test/harness/journey.ts'
import { suite } from '#test/harness/needs.ts'
import { TestProvider } from '#test/harness/provider.ts'
import { Terminal, flat } from '#test/harness/terminal.ts'

const clients = ['claude-code', 'codex'] as const

suite('screens', [...clients.map(needsClient), { command: 'tmux', debian: 'tmux' }], () => {
  let provider: TestProvider
  let postern: Postern
  beforeAll(async () => {
    for (const client of clients) installClient(client)
    provider = await TestProvider.open()
    postern = await Postern.up({
      provider: provider.url,
      decisions: decisionsText([
        { id: 'dec-qwen-code', tool: 'qwen-code', status: 'approved', from: '2026-01-01' },
        ...clients.map((tool) => ({
          id: `dec-${tool}-ban`,
          tool,
          status: 'prohibited',
          from: '2026-07-10',
          alternatives: ['qwen-code'],
        })),
      ]),
    })
  })
  afterAll(async () => {
    await postern[Symbol.asyncDispose]()
    await provider[Symbol.asyncDispose]()
  })

  const rows = clients.flatMap((client) => doors.map((door) => [client, door] as const))

  test.each(rows)('%s by the %s door: the refusal is readable', async (client, door) => {
    const road = roadTo(postern, client, door)
    using at = clientHome(client, road)
    const env = clientEnvironment(client, road, at.home)
    using terminal = new Terminal({ program: installClient(client), cwd: at.project, env })
    await terminal.submit('say hi', () => terminal.screen().includes('Postern:'))
    const screen = flat(await terminal.waitFor(/ex_[a-z2-7 ]{20}/))
    expect(screen).toContain(`Postern: ${toolNames[client]} is prohibited since 2026-07-10`)
    expect(screen).toContain(`dec-${client}-ban`)
    expect(screen).toContain('postern run qwen-code')
    expect(screen).not.toMatch(misleading)
    expect(provider.prompts()).toEqual([])
  })
})

/** What the provider gets is what the client sent: byte for byte, header for header. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ask, hostOf, userAgentOf } from '#test/harness/ask.ts'
import { installClient, needsClient } from '#test/harness/client-install.ts'
import { clientHome, runClient } from '#test/harness/clients.ts'
import { approvedBut } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import { doors, roadTo } from '#test/harness/journey.ts'
import { suite } from '#test/harness/needs.ts'
import { TestProvider, header, hello, sha256 } from '#test/harness/provider.ts'
import { Tap } from '#test/harness/tap.ts'

const clients = ['claude-code', 'codex'] as const
const turns = 20

/** All that may differ: the hop's own framing, the name of the other end, and our credential. */
const listed = new Set(['host', 'connection', 'keep-alive', 'x-postern-token'])

function compared(rawHeaders: readonly string[]): readonly string[] {
  const lines: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (listed.has(rawHeaders[at]?.toLowerCase() ?? '')) continue
    lines.push(`${rawHeaders[at]}: ${rawHeaders[at + 1]}`)
  }
  return lines
}

let provider: TestProvider
let postern: Postern

beforeAll(async () => {
  provider = await TestProvider.open()
  postern = await Postern.up({ provider: provider.url, decisions: approvedBut([]) })
})
afterAll(async () => {
  await postern[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

suite('fidelity of clients', clients.map(needsClient), () => {
  test.each(clients)(
    '%s: 20 turns arrive as they were sent',
    { timeout: 180_000 },
    async (client) => {
      installClient(client)
      provider.forget()
      provider.script = (_request, nth) =>
        nth < turns - 1
          ? { kind: 'tool', command: `echo turn ${nth}; seq 1 ${200 + nth}` }
          : { kind: 'text', text: hello }
      await using tap = await Tap.open(postern.baseUrl)
      const road = roadTo(postern, client, 'base-url', { through: tap.url })
      using at = clientHome(client, road)
      const ran = await runClient({ client, road, prompt: 'count', at, timeoutMs: 150_000 })
      provider.script = () => ({ kind: 'text', text: hello })
      expect(ran.stdout, JSON.stringify(ran)).toContain(hello)

      const mount = client === 'codex' ? '/openai' : '/anthropic'
      const sent = tap.requests().filter(({ method }) => method === 'POST')
      const got = provider.received.filter(({ method }) => method === 'POST')
      expect(got.length).toBeGreaterThanOrEqual(turns)
      expect(got.map(({ body }) => sha256(body))).toEqual(sent.map(({ body }) => sha256(body)))
      for (const [nth, one] of sent.entries()) {
        expect(got[nth]?.url).toBe(one.target.slice(mount.length))
        expect(compared(got[nth]?.rawHeaders ?? [])).toEqual(compared(one.rawHeaders))
      }
    },
  )

  test('an OAuth bearer arrives unchanged', async () => {
    provider.forget()
    const road = roadTo(postern, 'claude-code', 'base-url')
    using at = clientHome('claude-code', road)
    const bearer = `sk-ant-oat01-${'x'.repeat(60)}`
    const env = { ANTHROPIC_AUTH_TOKEN: bearer, ANTHROPIC_API_KEY: '' }
    const ran = await runClient({ client: 'claude-code', road, prompt: 'say hi', at, env })
    expect(ran.stdout, JSON.stringify(ran)).toContain(hello)
    const rawHeaders = provider.prompts()[0]?.rawHeaders ?? []
    expect(header(rawHeaders, 'authorization')).toBe(`Bearer ${bearer}`)
    expect(header(rawHeaders, 'anthropic-beta')).toBeTruthy()
    expect(header(rawHeaders, 'user-agent')).toBe(userAgentOf['claude-code'])
  })
})

test.each(doors)('%s door: odd but honest requests arrive as they are', async (door) => {
  provider.forget()
  const body =
    '{ "zeta":1,"model":"claude-sonnet-4-5",\n"x_new_field":{"b":[1,2.50,1e3],"a":"\\u00e9\\/"},' +
    '"messages":[{"role":"user","content":"h\\u0069 \u{1F980}"}],"max_tokens":5  ,"alpha":null}\n'
  const given = [
    `USER-agent: ${userAgentOf['claude-code']}`,
    'anthropic-beta: one-2025-01-01,two',
    'X-Unknown: kept',
    'x-unknown: twice',
    'Accept: */*',
    'authorization: Bearer sk-ant-oat01-y',
    'Content-Type: application/json',
    'anthropic-Version: 2023-06-01',
  ]
  const rawHeaders = given.flatMap((line) => line.split(': '))
  const road = roadTo(postern, 'claude-code', door)
  const target = '/v1/messages?beta=true&x=%7E'
  const answer = await ask({ client: 'claude-code', road, target, rawHeaders, body })
  expect(answer.status, answer.body).toBe(200)
  const [got] = provider.received
  expect(got?.url).toBe(target)
  expect(got?.body.toString()).toBe(body)
  expect(compared(got?.rawHeaders ?? [])).toEqual([
    ...given,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ])
  const named = header(got?.rawHeaders ?? [], 'host')
  expect([hostOf['claude-code'], new URL(provider.url).host]).toContain(named)
})

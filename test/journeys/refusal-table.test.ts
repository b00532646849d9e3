/**
 * The refusal, client x door x kind of request. What a client makes of each row was measured by
 * running it; this holds the rows, and runs the clients where a run is the only proof.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ask } from '#test/harness/ask.ts'
import type { Answered } from '#test/harness/ask.ts'
import { installClient, needsClient } from '#test/harness/client-install.ts'
import type { ClientName } from '#test/harness/client-install.ts'
import { clientHome, runClient } from '#test/harness/clients.ts'
import { approvedBut } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import { doors, misleading, recentMidnight, roadTo, toolNames } from '#test/harness/journey.ts'
import { suite } from '#test/harness/needs.ts'
import { TestProvider, header } from '#test/harness/provider.ts'

const clients = ['claude-code', 'codex'] as const
const midnight = recentMidnight()
const message = (client: ClientName): RegExp =>
  new RegExp(
    `^Postern: ${toolNames[client]} is prohibited since .*dec-${client}-ban.*postern run qwen-code.*ex_[a-z2-7]{20}`,
  )

type Request = { readonly method?: string; readonly target: string; readonly body?: object }
type Row = {
  readonly client: ClientName
  readonly what: 'prompt' | 'count' | 'models' | 'background' | 'tool loop'
  readonly request: Request
  readonly status: number
  readonly messageOf: (answer: Answered) => unknown
}

const claudeError = (answer: Answered): unknown => {
  const error = JSON.parse(answer.body) as {
    type: string
    error: { type: string; message: string }
  }
  expect(error).toMatchObject({ type: 'error', error: { type: 'permission_error' } })
  return error.error.message
}
const openaiError = (answer: Answered): unknown => {
  const { error } = JSON.parse(answer.body) as { error: { message: string } }
  // The message is first, so that a client that shows the JSON shows the sentence.
  expect(Object.keys(error)[0]).toBe('message')
  expect(error).toMatchObject({ type: 'invalid_request_error', code: 'postern_refused' })
  return error.message
}
const failedStream = (answer: Answered): unknown => {
  expect(header(answer.rawHeaders, 'content-type')).toContain('text/event-stream')
  const events = answer.body
    .split('\n')
    .filter((line) => line.startsWith('data: '))
    .map((line) => JSON.parse(line.slice(6)) as Record<string, unknown>)
  expect(events.map((event) => event['type'])).toEqual(['response.created', 'response.failed'])
  const failed = events[1] as { response: { error: { code: string; message: string } } }
  const { error } = failed.response
  expect(error.code).toBe('invalid_prompt')
  return error.message
}

const messages = (content: unknown) => ({
  model: 'claude-sonnet-4-5',
  max_tokens: 10,
  stream: true,
  messages: [{ role: 'user', content }],
})
const responses = (input: unknown) => ({ model: 'gpt-5.1-codex', stream: true, input })
const said = [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'hi' }] }]

const rows: readonly Row[] = [
  ...(
    [
      ['prompt', { target: '/v1/messages?beta=true', body: messages('hi') }],
      ['count', { target: '/v1/messages/count_tokens?beta=true', body: messages('hi') }],
      ['models', { method: 'GET', target: '/v1/models?limit=1000' }],
      [
        'background',
        { target: '/v1/messages?beta=true', body: { ...messages('title'), stream: false } },
      ],
      [
        'tool loop',
        {
          target: '/v1/messages?beta=true',
          body: messages([{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'ok' }]),
        },
      ],
    ] as const
  ).map(([what, request]) => ({
    client: 'claude-code' as const,
    what,
    request,
    status: 451,
    messageOf: claudeError,
  })),
  {
    client: 'codex',
    what: 'prompt',
    request: { target: '/v1/responses', body: responses(said) },
    status: 200,
    messageOf: failedStream,
  },
  {
    client: 'codex',
    what: 'count',
    request: {
      target: '/v1/responses/input_tokens',
      body: { model: 'gpt-5.1-codex', input: said },
    },
    status: 400,
    messageOf: openaiError,
  },
  {
    client: 'codex',
    what: 'models',
    request: { method: 'GET', target: '/v1/models?client_version=0.169.0' },
    status: 400,
    messageOf: openaiError,
  },
  {
    client: 'codex',
    what: 'background',
    request: { target: '/v1/responses', body: { ...responses(said), stream: false } },
    status: 400,
    messageOf: openaiError,
  },
  {
    client: 'codex',
    what: 'tool loop',
    request: {
      target: '/v1/responses',
      body: responses([...said, { type: 'function_call_output', call_id: 'call_1', output: 'ok' }]),
    },
    status: 200,
    messageOf: failedStream,
  },
]

let provider: TestProvider

function up(atMs: number): Promise<Postern> {
  const bans = clients.map((tool) => ({
    id: `dec-${tool}-ban`,
    tool,
    status: 'prohibited',
    from: midnight.date,
    alternatives: ['qwen-code'],
  }))
  return Postern.up({
    provider: provider.url,
    decisions: approvedBut(bans, { 'claude-code': midnight.date, codex: midnight.date }),
    startMs: atMs,
  })
}

beforeAll(async () => {
  provider = await TestProvider.open()
})
afterAll(() => provider[Symbol.asyncDispose]())

describe('the table', () => {
  const cells = rows.flatMap((row) => doors.map((door) => ({ ...row, door })))
  let postern: Postern
  beforeAll(async () => {
    postern = await up(midnight.ms + 1_000)
  })
  afterAll(() => postern[Symbol.asyncDispose]())

  test.each(cells)(
    '$client, $door door, $what',
    async ({ client, door, request, status, messageOf }) => {
      provider.forget()
      const road = roadTo(postern, client, door)
      const { body, ...rest } = request
      const answer = await ask({
        client,
        road,
        ...rest,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      expect(answer.status, answer.body).toBe(status)
      const shown = messageOf(answer)
      expect(shown).toMatch(message(client))
      expect(String(shown).length).toBeLessThan(240)
      expect(String(shown)).not.toMatch(/[\r\n]/)
      expect(header(answer.rawHeaders, 'x-should-retry')).toBe('false')
      expect(header(answer.rawHeaders, 'retry-after')).toBeUndefined()
      expect(provider.received).toEqual([])
    },
  )
})

suite('in the middle of a tool loop', clients.map(needsClient), () => {
  const cells = clients.flatMap((client) => doors.map((door) => [client, door] as const))

  test.each(cells)('%s by the %s door: the person reads why', async (client, door) => {
    installClient(client)
    provider.forget()
    // Policy time never goes back, so each run has a gate of its own.
    await using postern = await up(midnight.ms - 600_000)
    provider.script = (_request, nth) => {
      if (nth === 0) postern.clock?.set(midnight.ms + 2_000)
      return { kind: 'tool', command: 'echo one' }
    }
    const road = roadTo(postern, client, door)
    using at = clientHome(client, road)
    const ran = await runClient({ client, road, prompt: 'say hi', at })
    const all = `${ran.stdout}\n${ran.stderr}`
    expect(ran.code, all).toBe(1)
    expect(all).toContain(`Postern: ${toolNames[client]} is prohibited since`)
    expect(all).toMatch(/ex_[a-z2-7]{20}/)
    expect(all).not.toMatch(misleading)
    const refused = postern.verdicts.filter(({ verdict }) => verdict === 'block')
    expect(refused.length, JSON.stringify(postern.verdicts)).toBeLessThanOrEqual(3)
    expect(provider.prompts().length).toBeLessThanOrEqual(2)
  })
})

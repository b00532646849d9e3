import { expect, test } from 'vitest'
import type { WireFormat } from '#words/catalog.ts'
import { refusalRows, refuse, refuseWebSocket } from './refusal.ts'

const M = 'Postern: Claude Code is prohibited since 2026-07-10. Reference ex_abc.'
const given = { door: 'base-url', transport: 'http', message: M } as const

const cells: readonly (readonly [WireFormat, string, boolean, number, string])[] = [
  ['anthropic-messages', 'claude-code', true, 451, 'application/json'],
  ['anthropic-messages', 'claude-code', false, 451, 'application/json'],
  ['anthropic-messages', 'opencode', true, 451, 'application/json'],
  ['anthropic-messages', 'unknown', true, 451, 'application/json'],
  ['openai-responses', 'codex', true, 200, 'text/event-stream; charset=utf-8'],
  ['openai-responses', 'opencode', true, 200, 'text/event-stream; charset=utf-8'],
  ['openai-responses', 'codex', false, 400, 'application/json'],
  ['openai-responses', 'opencode', false, 400, 'application/json'],
  ['openai-responses', 'unknown', true, 400, 'application/json'],
  ['openai-responses', 'unknown', false, 400, 'application/json'],
  ['opaque', 'codex', false, 403, 'application/json'],
]

test.each(cells)('%s to %s, stream %s: %i', (wire, tool, stream, status, type) => {
  const answer = refuse({ ...given, wire, tool, stream })
  const headers = new Map(answer.headers)
  expect(answer.status).toBe(status)
  expect(headers.get('content-type')).toBe(type)
  expect(headers.get('x-should-retry')).toBe('false')
  expect(headers.has('retry-after')).toBe(false)
  expect(answer.body.toString().split(JSON.stringify(M))).toHaveLength(2)
})

test('the table never says what a client takes for a retry, a login or a missing model', () => {
  for (const row of refusalRows) expect([401, 404, 429, 503]).not.toContain(row.status)
})

test('Codex reads the message of response.failed when its code is invalid_prompt', () => {
  const { body } = refuse({ ...given, wire: 'openai-responses', tool: 'codex', stream: true })
  const events = body
    .toString()
    .split('\n\n')
    .filter(Boolean)
    .map((event) => JSON.parse(event.split('\ndata: ')[1] as string) as Record<string, unknown>)
  expect(events.map(({ type }) => type)).toEqual(['response.created', 'response.failed'])
  expect(events[1]).toMatchObject({ response: { error: { code: 'invalid_prompt', message: M } } })
})

test('the message stands first in the body that Codex shows as one line', () => {
  const { body } = refuse({ ...given, wire: 'openai-responses', tool: 'codex', stream: false })
  expect(body.toString().startsWith(`{"error":{"message":${JSON.stringify(M)}`)).toBe(true)
})

const faults: readonly (readonly [WireFormat, number, number, string])[] = [
  ['anthropic-messages', 400, 400, 'invalid_request_error'],
  ['anthropic-messages', 401, 401, 'authentication_error'],
  ['anthropic-messages', 403, 451, 'permission_error'],
  ['anthropic-messages', 404, 451, 'permission_error'],
  ['anthropic-messages', 413, 413, 'request_too_large'],
  ['anthropic-messages', 502, 502, 'api_error'],
  ['anthropic-messages', 503, 503, 'overloaded_error'],
  ['openai-responses', 401, 401, 'authentication_error'],
  ['openai-responses', 404, 400, 'invalid_request_error'],
  ['openai-responses', 413, 413, 'invalid_request_error'],
  ['openai-responses', 502, 502, 'server_error'],
  ['openai-responses', 503, 503, 'server_error'],
]

test.each(faults)('a fault on %s: %i is said as %i %s', (wire, status, said, type) => {
  const answer = refuse({ ...given, wire, tool: 'codex', stream: true, status })
  expect(answer.status).toBe(said)
  expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { type, message: M } })
  // What may pass a moment later may be asked again.
  expect(new Map(answer.headers).has('x-should-retry')).toBe(said < 500)
})

test('inside a WebSocket: the two events, then a close that is not retried', () => {
  const answer = refuseWebSocket({ wire: 'openai-responses', message: M })
  const types = answer.frames.map((frame) => (JSON.parse(frame) as { type: string }).type)
  expect(types).toEqual(['response.created', 'response.failed'])
  expect(answer.closeCode).toBe(1000)
})

test('line ends and control characters become spaces', () => {
  const answer = refuse({
    ...given,
    wire: 'opaque',
    tool: '',
    stream: false,
    message: 'a\nb\u0007c',
  })
  expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { message: 'a b c' } })
})

import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeEach, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { createScriptedProvider } from './provider.ts'
import { sayScript, toolScript } from './script.ts'

const provider = createScriptedProvider()
const bench = createScriptedProvider({ bench: { chunks: 10, pauseMs: 0, textBytes: 400 } })
const server = createServer((req, res) =>
  (req.headers['x-bench'] ? bench : provider).request(req, res),
)
server.on('upgrade', (req, socket, head) => provider.upgrade(req, socket, head))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo

afterAll(async () => {
  provider.close()
  bench.close()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})
beforeEach(() => {
  provider.received.length = 0
  provider.setScript(sayScript())
})

function ask(
  path: string,
  body: string,
  method = 'POST',
  headers = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ port, path, method, headers }, (res) => {
      let text = ''
      res.on('data', (chunk) => (text += String(chunk)))
      res.on('end', () => resolve({ status: res.statusCode ?? 0, text }))
      res.on('error', reject)
    })
    req.on('error', reject)
    req.end(body)
  })
}

test('keeps what it received, byte for byte and in order', async () => {
  const body = '{ "model" : "m",\n"unknown":[1.0] , "stream":true}'
  await ask('/v1/messages?beta=true', body, 'POST', { 'X-Odd-Case': 'v' })
  await ask('/v1/models', '', 'GET')
  expect(provider.received.map(({ target }) => target)).toEqual([
    '/v1/messages?beta=true',
    '/v1/models',
  ])
  expect(provider.received[0]?.body.toString()).toBe(body)
  expect(provider.received[0]?.rawHeaders).toContain('X-Odd-Case')
})

test('speaks both formats, streamed and not, and the side calls', async () => {
  expect((await ask('/v1/messages', '{"stream":true}')).text).toContain('event: message_stop')
  expect((await ask('/v1/messages', '{}')).text).toContain('"end_turn"')
  expect((await ask('/v1/responses', '{"stream":true}')).text).toContain('response.completed')
  expect((await ask('/v1/responses', '{}')).text).toContain('"status":"completed"')
  expect((await ask('/v1/messages/count_tokens', '{}')).text).toBe('{"input_tokens":10}')
  expect((await ask('/nowhere', '{}')).status).toBe(404)
})

test('calls the tool that the client offers, once', async () => {
  provider.setScript(toolScript('read', '.env'))
  const tools = [{ name: 'Read', input_schema: { properties: { file_path: {} } } }]
  const first = await ask('/v1/messages', JSON.stringify({ tools, messages: [] }))
  expect(JSON.parse(first.text)).toMatchObject({
    stop_reason: 'tool_use',
    content: [{ name: 'Read', input: { file_path: '.env' } }],
  })
  const codex = [
    { type: 'function', name: 'shell', parameters: { properties: { command: { type: 'array' } } } },
  ]
  const second = await ask('/v1/responses', JSON.stringify({ tools: codex, input: [] }))
  expect(second.text).toContain(String.raw`\"bash\",\"-lc\",\"cat .env\"`)
  const result = [{ role: 'user', content: [{ type: 'tool_result', content: 'x' }] }]
  const third = await ask('/v1/messages', JSON.stringify({ tools, messages: result }))
  expect(JSON.parse(third.text)).toMatchObject({ stop_reason: 'end_turn' })
})

test('errors, broken answers and pauses follow the script', async () => {
  provider.setScript(() => ({ kind: 'error', status: 503, message: 'busy' }))
  expect(await ask('/v1/messages', '{}')).toMatchObject({ status: 503 })
  provider.setScript(() => ({ kind: 'malformed', how: 'cut-off' }))
  await expect(ask('/v1/messages', '{"stream":true}')).rejects.toThrow(/aborted|hang up|ECONNRESET/)
  provider.setScript(() => ({ kind: 'text', text: 'a b c d', chunks: 4, pauseMs: 5 }))
  expect(
    (await ask('/v1/responses', '{"stream":true}')).text.split('output_text.delta"'),
  ).toHaveLength(5)
})

test('bench mode answers from bytes made once and keeps nothing', async () => {
  const headers = { 'x-bench': '1' }
  const text = (await ask('/v1/messages', '{"stream":true}', 'POST', headers)).text
  expect(text.split('text_delta')).toHaveLength(11)
  expect((await ask('/v1/messages', '{}', 'POST', headers)).text).toContain('end_turn')
  expect(bench.received).toEqual([])
})

test('speaks Responses by WebSocket; a warm-up gets an empty answer', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v1/responses`)
  const types: string[] = []
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => socket.send('{"type":"response.create","generate":false}'))
    socket.on('message', (data: Buffer) => {
      const event = JSON.parse(data.toString()) as {
        type: string
        response?: { output: unknown[] }
      }
      types.push(event.type)
      if (event.type !== 'response.completed') return
      if (event.response?.output.length === 0) socket.send('{"type":"response.create","input":[]}')
      else resolve()
    })
  })
  socket.terminate()
  expect(types.filter((type) => type === 'response.completed')).toHaveLength(2)
  expect(types).toContain('response.output_text.delta')
  expect(provider.received.map(({ transport }) => transport)).toEqual(['websocket', 'websocket'])
})

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import type { World } from '#words/clock.ts'
import { realWorld } from '#words/clock.ts'
import { limits } from '#words/limits.ts'
import { fields } from './answer-sink.ts'
import type { Fields } from './answer-sink.ts'
import { refuse } from './refusal.ts'
import { asked, sayScript } from './script.ts'
import type { Asked, Script, Step } from './script.ts'
import { speakAnthropic } from './speak-anthropic.ts'
import type { Spoken } from './speak-anthropic.ts'
import { speakResponses } from './speak-responses.ts'

/** One request or WebSocket message, byte for byte as it arrived. */
export type Received = {
  readonly transport: 'http' | 'websocket'
  readonly method: string
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly atMs: number
}

export type ScriptedProvider = {
  /** For `http.createServer`, or the compatibility side of an HTTP/2 server. */
  readonly request: (req: IncomingMessage, res: ServerResponse) => void
  /** For the server's `upgrade` event. */
  readonly upgrade: (req: IncomingMessage, socket: Duplex, head: Buffer) => void
  /** In the order of arrival. Empty in bench mode. */
  readonly received: Received[]
  setScript(script: Script): void
  close(): void
}

/**
 * A model provider that follows a script: for the sample, tests, benches and reviews. Answers are
 * the same for the same requests in the same order. No credential is looked at.
 *
 * `bench`: records nothing, reads bodies without parsing them, and answers with bytes made once.
 */
export function createScriptedProvider(
  input: {
    readonly world?: World
    readonly script?: Script
    readonly bench?: {
      readonly chunks: number
      readonly pauseMs: number
      /** Bytes of text in an answer. */
      readonly textBytes: number
    }
  } = {},
): ScriptedProvider {
  const world = input.world ?? realWorld
  const received: Received[] = []
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: limits.webSocketMessageBytesMax,
    perMessageDeflate: false,
  })
  let script = input.script ?? sayScript()
  let index = 0
  const { bench } = input
  const ready =
    bench === undefined
      ? null
      : renderOnce({ kind: 'text', text: 'word '.repeat(Math.ceil(bench.textBytes / 5)), ...bench })

  const keep = (req: IncomingMessage, body: Buffer, transport: 'http' | 'websocket'): void => {
    if (bench !== undefined) return
    received.push({
      transport,
      method: req.method ?? '',
      target: req.url ?? '',
      rawHeaders: req.rawHeaders,
      body,
      atMs: world.nowMs(),
    })
  }
  const answer = async (req: IncomingMessage, res: ServerResponse, body: Buffer): Promise<void> => {
    const wire = wireOf(req)
    if (wire === null) return sideCall(req, res)
    if (ready !== null) return await sendReady(res, ready[wire], body, bench?.pauseMs ?? 0)
    const request = parsed(body)
    const question = asked(wire, request, index++, false)
    await send(res, question, script(question))
  }
  const converse = (socket: WebSocket, req: IncomingMessage): void => {
    socket.on('message', (data: Buffer) => {
      keep(req, data, 'websocket')
      const request = parsed(data)
      if (request['type'] !== 'response.create') return
      const question = asked('openai-responses', request, index++, true)
      const step = script(question)
      const spoken =
        step.kind === 'text' || step.kind === 'tool' ? speakResponses(question, step) : null
      void (async () => {
        for (const [type, json] of spoken?.events ?? [['error', errorFrame(step)]]) {
          socket.send(json)
          if (step.kind === 'text' && type.endsWith('.delta')) await rest(step.pauseMs ?? 0)
        }
      })()
    })
  }
  return {
    received,
    setScript: (next) => void (script = next),
    request(req, res) {
      const chunks: Buffer[] = []
      req.on('data', (chunk: Buffer) => chunks.push(chunk))
      req.on('error', () => res.destroy())
      req.on('end', () => {
        const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)
        keep(req, body, 'http')
        answer(req, res, body).catch(() => res.destroy())
      })
    },
    upgrade(req, socket, head) {
      if (!pathOf(req).endsWith('/responses')) {
        socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
        return
      }
      sockets.handleUpgrade(req, socket, head, (joined) => converse(joined, req))
    },
    close() {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
    },
  }
}

function pathOf(req: IncomingMessage): string {
  return (req.url ?? '').split('?')[0] as string
}

function wireOf(req: IncomingMessage): Asked['wire'] | null {
  const path = pathOf(req)
  if (req.method !== 'POST') return null
  if (path.endsWith('/messages')) return 'anthropic-messages'
  return path.endsWith('/responses') ? 'openai-responses' : null
}

function sideCall(req: IncomingMessage, res: ServerResponse): void {
  const path = pathOf(req)
  if (path.endsWith('/count_tokens')) return json(res, 200, { input_tokens: 10 })
  if (path.endsWith('/models')) {
    const model = {
      id: 'sample-model',
      object: 'model',
      type: 'model',
      display_name: 'Sample model',
      created: 1,
      created_at: '2026-01-01T00:00:00Z',
      owned_by: 'sample',
    }
    return json(res, 200, { object: 'list', data: [model], has_more: false, models: [] })
  }
  if (req.method === 'HEAD') return void res.writeHead(200).end()
  json(res, 404, { error: { message: 'The sample provider has no such path.', type: 'not_found' } })
}

function json(res: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value))
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  res.end(body)
}

function parsed(body: Buffer): Fields {
  try {
    return fields(JSON.parse(body.toString('utf8')))
  } catch (cause) {
    if (cause instanceof SyntaxError) return {}
    throw cause
  }
}

const speakers = {
  'anthropic-messages': speakAnthropic,
  'openai-responses': speakResponses,
} as const

const eventStream = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
}

async function send(res: ServerResponse, question: Asked, step: Step): Promise<void> {
  if (step.kind === 'error') {
    const { status, message } = step
    const shape = { door: 'base-url', transport: 'http', tool: '', stream: false } as const
    const told = refuse({ ...shape, wire: question.wire, message, status })
    res.writeHead(status, Object.fromEntries(told.headers))
    res.end(told.body)
    return
  }
  if (step.kind === 'malformed') return malformed(res, question, step.how)
  const spoken = speakers[question.wire](question, step)
  if (!question.stream) {
    const body = Buffer.from(spoken.document)
    res.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
    res.end(body)
    return
  }
  res.writeHead(200, eventStream)
  const pauseMs = step.kind === 'text' ? (step.pauseMs ?? 0) : 0
  if (pauseMs === 0) {
    res.end(spoken.events.map(eventText).join(''))
    return
  }
  for (const event of spoken.events) {
    if (res.destroyed) return
    res.write(eventText(event))
    if (event[0].endsWith('delta')) await rest(pauseMs)
  }
  res.end()
}

function eventText([type, data]: readonly [string, string]): string {
  return `event: ${type}\ndata: ${data}\n\n`
}

async function rest(ms: number): Promise<void> {
  if (ms > 0) await pause(ms)
}

function malformed(
  res: ServerResponse,
  question: Asked,
  how: Extract<Step, { kind: 'malformed' }>['how'],
): void {
  const spoken = speakers[question.wire](question, { kind: 'text', text: 'This breaks off.' })
  res.writeHead(200, question.stream ? eventStream : { 'content-type': 'application/json' })
  if (how === 'not-json') res.end(question.stream ? 'data: {"type": oops\n\n' : '{"id": oops')
  else if (how === 'not-events') res.end('\u0000\u0001 not an event at all')
  else {
    const whole = question.stream ? spoken.events.map(eventText).join('') : spoken.document
    res.write(whole.slice(0, whole.length / 2), () => res.destroy())
  }
}

function errorFrame(step: Step): string {
  const message = step.kind === 'error' ? step.message : 'The sample provider broke off.'
  const status = step.kind === 'error' ? step.status : 500
  return JSON.stringify({ type: 'error', status, error: { type: 'server_error', message } })
}

type Ready = { readonly document: Buffer; readonly parts: readonly Buffer[]; readonly all: Buffer }

function renderOnce(step: Extract<Step, { kind: 'text' }>): Record<Asked['wire'], Ready> {
  const render = (wire: Asked['wire']): Ready => {
    const spoken: Spoken = speakers[wire](asked(wire, { model: 'bench' }, 0, true), step)
    const parts = spoken.events.map((event) => Buffer.from(eventText(event)))
    const document = Buffer.from(spoken.document)
    return { document, parts, all: Buffer.concat(parts) }
  }
  return {
    'anthropic-messages': render('anthropic-messages'),
    'openai-responses': render('openai-responses'),
  }
}

const streamMark = Buffer.from('"stream":true')

async function sendReady(
  res: ServerResponse,
  ready: Ready,
  body: Buffer,
  pauseMs: number,
): Promise<void> {
  // Settings stand at either end of a body; its middle is conversation.
  const ends = 2048
  const streamed =
    body.subarray(-ends).includes(streamMark) || body.subarray(0, ends).includes(streamMark)
  if (!streamed) {
    res.writeHead(200, {
      'content-type': 'application/json',
      'content-length': ready.document.length,
    })
    res.end(ready.document)
    return
  }
  res.writeHead(200, eventStream)
  if (pauseMs === 0) return void res.end(ready.all)
  for (const part of ready.parts) {
    if (res.destroyed) return
    res.write(part)
    await rest(pauseMs)
  }
  res.end()
}

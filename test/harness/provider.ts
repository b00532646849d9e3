import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocketServer } from 'ws'
import type { WebSocket } from 'ws'
import { messagesAnswer, responsesAnswer, responsesEvents } from './provider-answers.ts'

/** What the model does next. */
export type Turn =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'tool'; readonly command: string }

/** One request as the provider got it, byte for byte. */
export type Received = {
  readonly method: string
  readonly url: string
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly transport: 'http' | 'websocket'
  readonly atMs: number
}

export type Script = (request: Received, nth: number) => Turn

export const hello = 'Hello from the scripted provider. POSTERN_OK'

/**
 * A provider of the tests' own, written apart from `src/wire`, so that the gate is not checked
 * against its own reading of the formats. Loopback only, records everything.
 */
export class TestProvider implements AsyncDisposable {
  readonly received: Received[] = []
  /** Requests that ask for an answer: prompts and background calls, over either transport. */
  inferences = 0
  #turns = 0
  script: Script
  #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #webSockets: WebSocketServer

  private constructor(script: Script) {
    this.script = script
    this.#server = createServer({ maxHeaderSize: 128 * 1024 }, (req, res) => this.#answer(req, res))
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    this.#webSockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024 * 1024 })
    this.#server.on('upgrade', (req, socket, head) => {
      this.#webSockets.handleUpgrade(req, socket, head, (ws) => this.#converse(req, ws))
    })
  }

  static async open(script: Script = () => ({ kind: 'text', text: hello })): Promise<TestProvider> {
    const provider = new TestProvider(script)
    await new Promise<void>((resolve) => provider.#server.listen(0, '127.0.0.1', resolve))
    return provider
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  forget(): void {
    this.received.length = 0
    this.inferences = 0
    this.#turns = 0
  }

  prompts(): readonly Received[] {
    return this.received.filter(({ url }) => /\/(?:messages|responses)(?:\?|$)/.test(url))
  }

  /** A side call offers no tools; it must not use up a turn of the script. */
  #turn(received: Received, request: Record<string, unknown>): Turn {
    this.inferences++
    const tools = request['tools']
    const aside = !Array.isArray(tools) || tools.length === 0
    const turn = this.script(received, this.#turns)
    if (aside) return turn.kind === 'tool' ? { kind: 'text', text: hello } : turn
    this.#turns++
    return turn
  }

  #note(req: IncomingMessage, body: Buffer, transport: Received['transport']): Received {
    const one: Received = {
      method: transport === 'websocket' ? 'MESSAGE' : (req.method ?? ''),
      url: req.url ?? '',
      rawHeaders: req.rawHeaders,
      body,
      transport,
      atMs: performance.now(),
    }
    this.received.push(one)
    return one
  }

  #answer(req: IncomingMessage, res: ServerResponse): void {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('error', () => res.destroy())
    req.on('end', () => {
      const received = this.#note(req, Buffer.concat(chunks), 'http')
      const path = received.url.split('?', 1)[0] ?? ''
      if (path.endsWith('/count_tokens')) return json(res, 200, { input_tokens: 10 })
      if (path.endsWith('/models')) return json(res, 200, { object: 'list', data: [], models: [] })
      if (path === '/' || path === '/api/hello') return json(res, 200, {})
      const request = parsed(received.body)
      if (request === null) return json(res, 400, { error: { message: 'not JSON' } })
      const stream = request['stream'] === true
      if (path.endsWith('/messages')) {
        send(res, stream, messagesAnswer(request, this.#turn(received, request)))
      } else if (path.endsWith('/responses')) {
        send(res, stream, responsesAnswer(request, this.#turn(received, request)))
      } else json(res, 404, { error: { message: 'not found', type: 'not_found_error' } })
    })
  }

  #converse(req: IncomingMessage, ws: WebSocket): void {
    ws.on('error', () => ws.terminate())
    ws.on('message', (data: Buffer) => {
      const received = this.#note(req, data, 'websocket')
      const request = parsed(received.body)
      if (request?.['type'] !== 'response.create') return
      const warmUp = request['generate'] === false
      const turn: Turn = warmUp ? { kind: 'text', text: '' } : this.#turn(received, request)
      for (const event of responsesEvents(request, turn)) ws.send(JSON.stringify(event))
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const ws of this.#webSockets.clients) ws.terminate()
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
  }
}

export function parsed(body: Buffer): Record<string, unknown> | null {
  try {
    return JSON.parse(body.toString('utf8')) as Record<string, unknown>
  } catch {
    return null
  }
}

export function header(rawHeaders: readonly string[], name: string): string | undefined {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) return rawHeaders[at + 1]
  }
  return undefined
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function json(res: ServerResponse, status: number, value: object): void {
  const body = Buffer.from(JSON.stringify(value))
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length })
  res.end(body)
}

type Answer = { readonly whole: object; readonly events: readonly { readonly type: string }[] }

function send(res: ServerResponse, stream: boolean, answer: Answer): void {
  if (!stream) return json(res, 200, answer.whole)
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  for (const event of answer.events) {
    res.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  }
  res.end()
}

import { createHash } from 'node:crypto'
import type { Purpose, WireFormat } from '#words/catalog.ts'
import type { Door } from '#words/exchange.ts'
import { invariant } from '#words/faults.ts'
import { responsesFailure } from './responses-failure.ts'

/**
 * How a refusal is said so that a person reads it, whole and once, inside the tool.
 *
 * Fails towards the plain HTTP error of the wire: a client that is not recognised never gets a
 * shape that only one client reads well. The rows were measured by running the clients; the wrong
 * status costs a person three minutes of retries, loses the sentence, or tells them to log in.
 */
export type RefusalInput = {
  readonly wire: WireFormat
  readonly door: Door
  readonly transport: 'http' | 'websocket'
  readonly tool: string
  /** The client asked for a streamed answer. */
  readonly stream: boolean
  /** One line, actor first: it is shown and nothing beside it. */
  readonly message: string
  /** For faults: 401, 413, 503 and so on. Absent for a policy refusal. */
  readonly status?: number
  readonly purpose?: Purpose
}

export type RefusalAnswer = {
  readonly status: number
  readonly headers: [string, string][]
  readonly body: Buffer
}

type Shape = 'anthropic-error' | 'openai-error' | 'responses-failed-stream' | 'plain-error'

export type RefusalRow = {
  readonly wire: WireFormat
  /** Catalog keys of the clients that were seen to read it well; `any` is the wire's default. */
  readonly tools: readonly string[] | 'any'
  readonly stream: boolean | 'any'
  readonly shape: Shape
  readonly status: number
}

/**
 * First row that matches. Endpoints that count tokens or list models are never streamed, so they
 * take the same rows as the prompt: a side call must be judged and told like the main one.
 */
export const refusalRows: readonly RefusalRow[] = [
  {
    wire: 'anthropic-messages',
    tools: 'any',
    stream: 'any',
    shape: 'anthropic-error',
    status: 451,
  },
  {
    wire: 'openai-responses',
    tools: ['codex', 'opencode'],
    stream: true,
    shape: 'responses-failed-stream',
    status: 200,
  },
  { wire: 'openai-responses', tools: 'any', stream: 'any', shape: 'openai-error', status: 400 },
  { wire: 'opaque', tools: 'any', stream: 'any', shape: 'plain-error', status: 403 },
]

export function refuse(input: RefusalInput): RefusalAnswer {
  const message = oneLine(input.message)
  if (input.status !== undefined) return fault(input.wire, input.status, message)
  const row = refusalRows.find(
    (candidate) =>
      candidate.wire === input.wire &&
      (candidate.tools === 'any' || candidate.tools.includes(input.tool)) &&
      (candidate.stream === 'any' || candidate.stream === input.stream),
  )
  invariant(row !== undefined, `the refusal table has a row for ${input.wire}`)
  return render(row.shape, row.status, message, 'policy')
}

/**
 * Statuses that mislead one client or another although they are right: Claude Code replaces the
 * text of a 404 by advice about models and asks people to log in at 403; Codex asks six times
 * again at either.
 */
const misread: Readonly<Record<WireFormat, Readonly<Record<number, number>>>> = {
  'anthropic-messages': { 403: 451, 404: 451 },
  'openai-responses': { 403: 400, 404: 400 },
  opaque: {},
}

const shapeOf: Readonly<Record<WireFormat, Shape>> = {
  'anthropic-messages': 'anthropic-error',
  'openai-responses': 'openai-error',
  opaque: 'plain-error',
}

function fault(wire: WireFormat, status: number, message: string): RefusalAnswer {
  return render(shapeOf[wire], misread[wire][status] ?? status, message, 'fault')
}

function render(
  shape: Shape,
  status: number,
  message: string,
  cause: 'policy' | 'fault',
): RefusalAnswer {
  if (shape === 'responses-failed-stream') {
    const [created, failed] = responsesFailure(message, digest(message))
    return {
      status,
      headers: [
        ['content-type', 'text/event-stream; charset=utf-8'],
        ['cache-control', 'no-store'],
        ['x-should-retry', 'false'],
      ],
      body: Buffer.from(
        `event: response.created\ndata: ${created}\n\nevent: response.failed\ndata: ${failed}\n\n`,
      ),
    }
  }
  const body = Buffer.from(JSON.stringify(errorBody(shape, status, message, cause)))
  const headers: [string, string][] = [
    ['content-type', 'application/json'],
    ['content-length', String(body.length)],
    ['cache-control', 'no-store'],
  ]
  // A busy gate or a provider that is away may be asked again; a decision may not.
  if (status < 500) headers.push(['x-should-retry', 'false'])
  return { status, headers, body }
}

/** https://docs.anthropic.com/en/api/errors */
const anthropicTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  451: 'permission_error',
  500: 'api_error',
  502: 'api_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

/** https://platform.openai.com/docs/guides/error-codes */
const openaiTypes: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  413: 'invalid_request_error',
  429: 'rate_limit_error',
  500: 'server_error',
  502: 'server_error',
  503: 'server_error',
  504: 'server_error',
}

function errorBody(
  shape: Exclude<Shape, 'responses-failed-stream'>,
  status: number,
  message: string,
  cause: 'policy' | 'fault',
): unknown {
  if (shape === 'anthropic-error') {
    return { type: 'error', error: { type: anthropicTypes[status] ?? 'api_error', message } }
  }
  const code = cause === 'policy' ? 'postern_refused' : 'postern_fault'
  if (shape === 'plain-error') return { error: { message, type: 'permission_error', code } }
  // `message` first: Codex shows this body as one line, cut at the right.
  const type = openaiTypes[status] ?? 'server_error'
  return { error: { message, type, param: null, code } }
}

/**
 * A refusal inside an open WebSocket: the wire's own failure, then a normal close. A close code
 * alone loses the sentence and is retried seven times.
 */
export function refuseWebSocket(input: { readonly wire: WireFormat; readonly message: string }): {
  frames: string[]
  closeCode: number
  closeReason: string
} {
  const message = oneLine(input.message)
  if (input.wire === 'openai-responses') {
    return {
      frames: [...responsesFailure(message, digest(message))],
      closeCode: 1000,
      closeReason: '',
    }
  }
  const said = JSON.stringify(errorBody('plain-error', 403, message, 'policy'))
  return { frames: [said], closeCode: 1000, closeReason: '' }
}

/** Newlines are shown as `\n` by two clients, so a refusal has none. */
function oneLine(message: string): string {
  return message.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ').trim()
}

/** The same refusal has the same bytes, so that golden files and caches hold. */
function digest(message: string): string {
  return createHash('sha256').update(message).digest('hex').slice(0, 32)
}

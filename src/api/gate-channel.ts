import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { KeyObject } from 'node:crypto'
import type { SealedBundle } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import { Fault, isFault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import { enrolmentSchema, heartbeatMs, signTime } from './contract/gate-channel.ts'
import type { Enrolment, GateMessage } from './contract/gate-channel.ts'
import type { Log } from './log-port.ts'
import type { Publisher } from './publisher.ts'

export type GateState = {
  readonly node: string
  readonly connectedSinceMs: number | null
  readonly lastHeardMs: number
  /** Counter of the last bundle that was written to it. */
  readonly bundleCounter: number
  readonly batches: number
}

export type GateChannel = { readonly server: Server; states(): GateState[] }

const statesMax = 4_096
const streamBytesBehindMax = 2 * limits.bundleBytesMax

/**
 * The gates' side of control, on a socket that only the owner of the home can open.
 *
 * Refuses everything but its three routes. A gate that does not read its stream is cut off when
 * `streamBytesBehindMax` have piled up; it connects again and says what it has.
 */
export function createGateChannel(input: {
  readonly world: World
  readonly origin: string
  readonly key: { readonly keyId: string; readonly privateKey: KeyObject }
  readonly publisher: Publisher
  /** Hands a batch to the sequencer; resolves with the bytes of the Ack. */
  readonly accept: (node: NodeId, batch: Buffer) => Promise<Buffer>
  readonly enrol: (enrolment: Enrolment) => Promise<void>
  readonly log: Log
}): GateChannel {
  const states = new Map<string, { -readonly [Key in keyof GateState]: GateState[Key] }>()

  function stateOf(node: string) {
    let state = states.get(node)
    if (state === undefined) {
      const oldest = states.keys().next().value
      if (states.size >= statesMax && oldest !== undefined) states.delete(oldest)
      state = { node, connectedSinceMs: null, lastHeardMs: 0, bundleCounter: 0, batches: 0 }
      states.set(node, state)
    }
    state.lastHeardMs = input.world.nowMs()
    return state
  }

  function stream(url: URL, response: ServerResponse): void {
    const node = url.searchParams.get('node') ?? 'unnamed'
    // -1: a gate that has none yet.
    const after = Number(url.searchParams.get('after') ?? '-1')
    if (!Number.isSafeInteger(after) || after < -1 || node.length > 80) {
      throw new Fault('usage', { outward: '`after` is the counter of the bundle you have.' })
    }
    const state = stateOf(node)
    state.connectedSinceMs = input.world.nowMs()
    state.bundleCounter = after
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })

    const write = (message: GateMessage): void => {
      if (response.writableLength > streamBytesBehindMax) {
        input.log.warn('gate-too-slow', { node })
        response.destroy()
        return
      }
      response.write(`${JSON.stringify(message)}\n`)
    }
    const push = (bundle: SealedBundle): void => {
      write({ kind: 'bundle', bundle: JSON.stringify(bundle) })
      state.bundleCounter = bundle.manifest.counter
    }
    const tick = (): void => {
      state.lastHeardMs = input.world.nowMs()
      write(signTime(input.origin, input.world.nowMs(), input.key))
    }

    const current = input.publisher.current()
    if (current !== null && current.manifest.counter !== after) push(current)
    tick()
    const stop = input.publisher.subscribe(push)
    const timer = setInterval(tick, heartbeatMs)
    response.once('close', () => {
      stop()
      clearInterval(timer)
      state.connectedSinceMs = null
      input.log.info('gate-left', { node })
    })
    input.log.info('gate-connected', { node, counter: after })
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://gate.sock')
    if (request.method === 'GET' && url.pathname === '/v1/bundle') return stream(url, response)
    if (request.method === 'POST' && url.pathname === '/v1/nodes') {
      const enrolment = parseEnrolment(await readBody(request, 64 * 1024))
      await input.enrol(enrolment)
      stateOf(enrolment.node)
      response.writeHead(204).end()
      return
    }
    const spool = /^\/v1\/spool\/([^/]{1,200})$/.exec(url.pathname)?.[1]
    if (request.method === 'POST' && spool !== undefined) {
      const node = decodeNode(spool)
      const batch = await readBody(request, limits.apiBodyBytesMax)
      const ack = await input.accept(node, batch)
      stateOf(node).batches += 1
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(ack)
      return
    }
    throw new Fault('not-found', { outward: 'This socket serves gates: bundle, spool, nodes.' })
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      input.log.fault('gate-request-failed', error, { route: request.url ?? '' })
      refuse(response, error)
    })
  })
  server.requestTimeout = 120_000
  return { server, states: () => [...states.values()].map((state) => ({ ...state })) }
}

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > bytesMax) request.destroy()
    else chunks.push(chunk)
  })
  try {
    await once(request, 'end')
  } catch (cause) {
    throw new Fault('request-malformed', { outward: 'The body broke off.', cause })
  }
  if (!request.complete || bytes > bytesMax) {
    throw new Fault('body-too-large', { outward: `A body here has at most ${bytesMax} bytes.` })
  }
  return Buffer.concat(chunks)
}

function parseEnrolment(body: Buffer): Enrolment {
  try {
    return enrolmentSchema.parse(JSON.parse(body.toString('utf8')))
  } catch (cause) {
    throw new Fault('request-malformed', { outward: 'That is no enrolment of a node.', cause })
  }
}

function decodeNode(text: string): NodeId {
  try {
    return decodeURIComponent(text) as NodeId
  } catch (cause) {
    throw new Fault('request-malformed', { outward: 'That is no name of a node.', cause })
  }
}

const statusOf: Readonly<Record<string, number>> = {
  'not-found': 404,
  'not-permitted': 403,
  'request-malformed': 400,
  usage: 400,
  'body-too-large': 413,
}

function refuse(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) {
    response.destroy()
    return
  }
  const fault = isFault(error) ? error : null
  const status = fault === null ? 500 : (statusOf[fault.code] ?? 503)
  const body = { code: fault?.code ?? 'bug', message: fault?.outward ?? 'See the log of control.' }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

import { Agent, request as httpRequest } from 'node:http'
import type { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { limits } from '#words/limits.ts'
import { isFault } from '#words/faults.ts'
import { unreachable } from './dial.ts'
import type { Dialer } from './dial.ts'
import { portOf } from './sending.ts'
import type { SendRequest, Upstream } from './sending.ts'
import { endToEndHeaders } from './headers.ts'

const noNames: readonly string[] = []

/** HTTP/1.1 upstream: one agent of kept-alive sockets for each origin, last in first out. */
export function createHttp1(dialer: Dialer) {
  const agents = new Map<string, Agent>()

  const agentFor = (origin: URL): Agent => {
    const held = agents.get(origin.origin)
    if (held !== undefined) return held
    if (agents.size >= limits.upstreamOriginsMax) dropIdle(agents)
    const agent = new Agent({
      keepAlive: true,
      scheduling: 'lifo',
      maxSockets: limits.upstreamSocketsPerOriginMax,
      maxFreeSockets: limits.upstreamFreeSocketsMax,
      // For free sockets; `Keep-Alive: timeout=` of the server shortens it, less one second.
      timeout: limits.upstreamFreeMsMax,
    })
    const dial =
      origin.protocol === 'https:'
        ? () => dialer.secure(origin.hostname, portOf(origin), ['http/1.1'])
        : () => dialer.plain(origin.hostname, portOf(origin))
    agent.createConnection = (_options, done) => {
      void handOver(dial, done)
      return undefined
    }
    agents.set(origin.origin, agent)
    return agent
  }

  return {
    async send(request: SendRequest): Promise<Upstream> {
      const agent = agentFor(request.origin)
      try {
        return await attempt(agent, request)
      } catch (cause) {
        if (!(cause instanceof Untouched) || request.signal.aborted) throw cause
        return attempt(agent, request)
      }
    },
    stats() {
      let sockets = 0
      let freeSockets = 0
      for (const agent of agents.values()) {
        sockets += count(agent.sockets)
        freeSockets += count(agent.freeSockets)
      }
      return { sockets, freeSockets }
    },
    close(): void {
      for (const agent of agents.values()) agent.destroy()
      agents.clear()
    },
  }
}

type Done = (cause: Error | null, socket: Duplex) => void

async function handOver(dial: () => Promise<Socket>, done: Done | undefined): Promise<void> {
  let socket: Socket
  try {
    socket = await dial()
  } catch (cause) {
    done?.(cause as Error, undefined as unknown as Duplex)
    return
  }
  done?.(null, socket)
}

/** The upstream certainly did nothing with the request. */
class Untouched extends Error {}

function attempt(agent: Agent, request: SendRequest): Promise<Upstream> {
  const { origin, signal, body } = request
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(gone(origin))
    const outgoing = httpRequest({
      agent,
      method: request.method,
      path: request.target,
      host: origin.hostname,
      port: portOf(origin),
      setDefaultHeaders: false,
      headers: endToEndHeaders(request.rawHeaders, {
        strip: noNames,
        host: origin.host,
        bodyLength: body.length,
      }) as unknown as NodeJS.Dict<string>,
      timeout: limits.upstreamIdleMsMax,
      maxHeaderSize: limits.upstreamHeaderBytesMax,
      insecureHTTPParser: false,
    })
    let writtenBefore = -1
    let taken: Socket | null = null
    const abort = (): void => {
      outgoing.destroy(gone(origin))
    }
    signal.addEventListener('abort', abort, { once: true })
    outgoing.once('socket', (socket) => {
      taken = socket
      writtenBefore = socket.bytesWritten
    })
    outgoing.on('timeout', () => {
      outgoing.destroy(unreachable(origin.hostname, portOf(origin), 'idle for too long'))
    })
    outgoing.once('close', () => signal.removeEventListener('abort', abort))
    outgoing.once('response', (answer) => {
      resolve({
        status: answer.statusCode ?? 502,
        statusText: answer.statusMessage ?? '',
        rawHeaders: answer.rawHeaders,
        body: answer,
        trailers: () => answer.rawTrailers,
        protocol: 'h1',
      })
    })
    // Stays for the whole life of the request: an error after the answer has begun is the body's.
    outgoing.on('error', (cause) => {
      if (mayTryAgain(outgoing, taken, writtenBefore)) {
        return reject(new Untouched('stale socket', { cause }))
      }
      reject(isFault(cause) ? cause : unreachable(origin.hostname, portOf(origin), cause))
    })
    // An upstream that switches protocols unasked is not followed.
    outgoing.once('upgrade', (_answer, socket) => {
      socket.destroy()
      reject(unreachable(origin.hostname, portOf(origin), 'switched protocols unasked'))
    })
    outgoing.end(body.length === 0 ? undefined : body)
  })
}

/**
 * May a failed request be sent again? Only on a kept-alive socket that the server had closed, and
 * only when not a byte of it was written. Methods that are safe to repeat (RFC 9110 9.2.2) get no
 * exception: the log has one entry for a request, so the provider sees it once.
 *
 * An inference is paid for and may run tools: when the server could have read any of it, the
 * client is told 502 and decides itself. Stale sockets are avoided instead, by giving them up
 * before servers usually do. `error` comes before any answer here; after one this is not asked.
 */
function mayTryAgain(
  outgoing: ClientRequest,
  taken: Socket | null,
  writtenBefore: number,
): boolean {
  if (!outgoing.reusedSocket || taken === null) return false
  return taken.bytesWritten === writtenBefore
}

function gone(origin: URL) {
  return unreachable(origin.hostname, portOf(origin), 'the client went away')
}

function count(byName: NodeJS.ReadOnlyDict<readonly unknown[]>): number {
  return Object.values(byName).reduce((sum, list) => sum + (list?.length ?? 0), 0)
}

function dropIdle(agents: Map<string, Agent>): void {
  for (const [name, agent] of agents) {
    if (count(agent.sockets) > 0) continue
    agent.destroy()
    agents.delete(name)
    return
  }
}

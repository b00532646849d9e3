import { connect, constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { World } from '#words/clock.ts'
import { isFault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { unreachable } from './dial.ts'
import type { Dialer } from './dial.ts'
import { portOf } from './sending.ts'
import type { SendRequest, Upstream } from './sending.ts'
import { endToEndHeaders } from './headers.ts'

type Held = {
  readonly session: ClientHttp2Session
  streams: number
  /** Streams above it were not processed, says the server's GOAWAY. */
  lastStream: number
}

const hour1Ms = 3_600_000

/**
 * HTTP/2 upstream, where the server's ALPN says so. `send` gives null for an origin that speaks
 * HTTP/1.1 only (remembered for an hour).
 */
export function createHttp2(world: World, dialer: Dialer) {
  const pools = new Map<string, Held[]>()
  const opening = new Map<string, Promise<Held | null>>()
  const http1Until = new Map<string, number>()

  const drop = (name: string, held: Held): void => {
    const left = (pools.get(name) ?? []).filter((other) => other !== held)
    if (left.length === 0) pools.delete(name)
    else pools.set(name, left)
  }

  const open = async (origin: URL): Promise<Held | null> => {
    const name = origin.origin
    const socket = await dialer.secure(origin.hostname, portOf(origin), ['h2', 'http/1.1'])
    if (socket.alpnProtocol !== 'h2') {
      socket.destroy()
      if (http1Until.size >= limits.upstreamOriginsMax) http1Until.clear()
      http1Until.set(name, world.monotonicMs() + hour1Ms)
      return null
    }
    const session = connect(name, {
      createConnection: () => socket,
      maxHeaderListPairs: limits.requestHeaderCountMax,
      settings: { enablePush: false, initialWindowSize: 1024 * 1024 },
    })
    const held: Held = { session, streams: 0, lastStream: Number.MAX_SAFE_INTEGER }
    session.on('goaway', (_code, lastStream) => {
      held.lastStream = lastStream
      drop(name, held)
    })
    session.on('error', () => drop(name, held))
    session.once('connect', () => session.setLocalWindowSize(8 * 1024 * 1024))
    session.setTimeout(limits.upstreamFreeMsMax, () => {
      if (held.streams === 0) session.close()
    })
    const pinging = setInterval(() => {
      if (held.streams > 0) ping(session)
    }, limits.h2PingMs)
    pinging.unref()
    session.once('close', () => {
      clearInterval(pinging)
      drop(name, held)
    })
    pools.set(name, [...(pools.get(name) ?? []), held])
    return held
  }

  const heldFor = (origin: URL): Promise<Held | null> => {
    const name = origin.origin
    if ((http1Until.get(name) ?? 0) > world.monotonicMs()) return Promise.resolve(null)
    const free = pools.get(name)?.find(hasRoom)
    if (free !== undefined) return Promise.resolve(free)
    const underWay = opening.get(name)
    if (underWay !== undefined) return underWay
    const opened = open(origin).finally(() => opening.delete(name))
    opening.set(name, opened)
    return opened
  }

  return {
    async send(request: SendRequest): Promise<Upstream | null> {
      for (let tries = 1; ; tries += 1) {
        const held = await heldFor(request.origin)
        if (held === null) return null
        try {
          return await attempt(held, request)
        } catch (cause) {
          if (!(cause instanceof Unprocessed) || tries > 2 || request.signal.aborted) {
            throw isFault(cause)
              ? cause
              : unreachable(request.origin.hostname, portOf(request.origin), cause)
          }
        }
      }
    },
    sessions: () => [...pools.values()].reduce((sum, pool) => sum + pool.length, 0),
    close(): void {
      for (const pool of pools.values()) for (const { session } of pool) session.destroy()
      pools.clear()
    },
  }
}

function hasRoom({ session, streams }: Held): boolean {
  if (session.closed || session.destroyed) return false
  const theirs = session.remoteSettings?.maxConcurrentStreams ?? 100
  return streams < Math.min(theirs, limits.h2StreamsPerSessionMax)
}

/** A peer that does not answer a ping is gone, however open its socket looks. */
function ping(session: ClientHttp2Session): void {
  const late = setTimeout(() => session.destroy(), 10_000)
  late.unref()
  const sent = session.ping((cause) => {
    clearTimeout(late)
    if (cause !== null) session.destroy()
  })
  if (!sent) clearTimeout(late)
}

/** The server says itself that it did nothing with the request. */
class Unprocessed extends Error {}

function attempt(held: Held, request: SendRequest): Promise<Upstream> {
  const { origin, signal, body } = request
  return new Promise((resolve, reject) => {
    const cut = unreachable(origin.hostname, portOf(origin), 'the client went away')
    if (signal.aborted) return reject(cut)
    let stream: ClientHttp2Stream
    try {
      stream = held.session.request(headersOf(request), { endStream: body.length === 0 })
    } catch (cause) {
      // The session closed between the pool and here: nothing was sent.
      return reject(new Unprocessed('session closed', { cause }))
    }
    held.streams += 1
    let trailers: readonly string[] = []
    let answered = false
    const abort = (): void => {
      stream.close(constants.NGHTTP2_CANCEL)
      stream.destroy(cut)
    }
    signal.addEventListener('abort', abort, { once: true })
    stream.setTimeout(limits.upstreamIdleMsMax, abort)
    stream.once('response', (headers, _flags, rawHeaders) => {
      answered = true
      resolve({
        status: headers[':status'] ?? 502,
        statusText: '',
        rawHeaders: withoutPseudo(rawHeaders),
        body: stream,
        trailers: () => trailers,
        protocol: 'h2',
      })
    })
    stream.once('trailers', (headers) => {
      trailers = Object.entries(headers).flatMap(([name, value]) =>
        (Array.isArray(value) ? value : [value as string]).flatMap((one: string) => [name, one]),
      )
    })
    let failure: Error | null = null
    stream.on('error', (cause) => {
      failure = cause
    })
    stream.once('close', () => {
      held.streams -= 1
      signal.removeEventListener('abort', abort)
      if (answered) return
      if (untouched(stream, held)) return reject(new Unprocessed('refused', { cause: failure }))
      reject(
        isFault(failure)
          ? failure
          : unreachable(origin.hostname, portOf(origin), failure ?? `stream ${stream.rstCode}`),
      )
    })
    if (body.length > 0) stream.end(body)
  })
}

/** RFC 9113 8.7: REFUSED_STREAM, and streams above GOAWAY's last one, were not processed. */
function untouched(stream: ClientHttp2Stream, held: Held): boolean {
  if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) return true
  return stream.id === undefined || stream.id > held.lastStream
}

function headersOf(request: SendRequest): OutgoingHttpHeaders {
  const { origin } = request
  const kept = endToEndHeaders(request.rawHeaders, {
    strip: ['host'],
    bodyLength: request.body.length,
  })
  const raw = [':method', request.method, ':scheme', 'https', ':authority', origin.host]
  raw.push(':path', request.target)
  for (let at = 0; at < kept.length; at += 2) {
    const name = (kept[at] as string).toLowerCase()
    if (!name.startsWith(':')) raw.push(name, kept[at + 1] as string)
  }
  // Raw arrays keep order and repetition; the types of Node 24 know only the object.
  return raw as unknown as OutgoingHttpHeaders
}

function withoutPseudo(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    if (!name.startsWith(':')) kept.push(name, raw[at + 1] as string)
  }
  return kept
}

import { constants, createServer } from 'node:http2'
import type {
  Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  ServerHttp2Session,
} from 'node:http2'
import type { DoorLimits, TlsDoorOptions } from './door-types.ts'
import { wrongWithHost, wrongWithTarget } from './inner-http.ts'
import type { Inner, Wrong } from './inner-http.ts'

const minuteMs = 60_000

/**
 * The HTTP/2 side of what was decrypted.
 *
 * nghttp2 refuses what would become another request one hop on (connection-specific headers,
 * upper case, a length that the body does not keep: RFC 9113 8.1, 8.2); here come the bounds, the
 * host check, and an end to sessions that open streams only to reset them (CVE-2023-44487).
 */
export function createInnerHttp2(
  options: TlsDoorOptions,
  bounds: DoorLimits,
  innerOf: WeakMap<object, Inner>,
): Http2Server {
  const server = createServer({
    settings: {
      maxConcurrentStreams: bounds.h2StreamsPerSessionMax,
      maxHeaderListSize: bounds.requestHeaderBytesMax,
      initialWindowSize: 1024 * 1024,
      enablePush: false,
    },
    // Pseudo headers stand in the same list.
    maxHeaderListPairs: bounds.requestHeaderCountMax + 4,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    maxSessionMemory: 32,
    // nghttp2's own bucket, a second wall for a burst that comes before `guardResets` can count it.
    streamResetBurst: 2 * bounds.h2ResetsPerMinuteMax,
    streamResetRate: Math.ceil(bounds.h2ResetsPerMinuteMax / 60),
  })
  server.on('session', (session) => {
    const inner = innerBehind(session)
    if (inner === undefined) {
      session.destroy()
      return
    }
    innerOf.set(session, inner)
    // One upload may fill what all streams share; 64 kB would make it wait at every turn.
    session.setLocalWindowSize(4 * 1024 * 1024)
    session.setTimeout(bounds.upstreamIdleMsMax + 60_000, () => session.close())
    guardResets(session, inner, options, bounds)
    session.on('error', (error: NodeJS.ErrnoException) => {
      inner.connection.ended('refused', 'http-malformed', error.code ?? error.message)
    })
  })
  server.on('sessionError', () => {
    // Heard at the session itself.
  })
  const handle = (req: Http2ServerRequest, res: Http2ServerResponse, waits: boolean): void => {
    const { session } = req.stream
    const inner = session === undefined ? undefined : innerOf.get(session)
    if (inner === undefined) {
      req.stream.close(constants.NGHTTP2_CANCEL)
      return
    }
    const wrong = wrongWithRequest(req, inner, bounds)
    if (wrong === null) {
      limitReading(req, bounds.requestReadMsMax)
      options.onRequest(req, res, inner.context, waits)
      return
    }
    inner.connection.noteRequest('refused', wrong.reason, wrong.words)
    res.writeHead(wrong.status, { 'content-type': 'text/plain; charset=utf-8' })
    res.end(`${wrong.words}\n`)
  }
  server.on('request', (req, res) => handle(req, res, false))
  server.on('checkContinue', (req, res) => handle(req, res, true))
  return server
}

/**
 * Set on the TLS socket before its session is made. A session shows a proxy of its socket, which
 * hides the identity of the socket but hands out properties.
 */
export const innerKey = Symbol('inner')

function innerBehind(session: ServerHttp2Session): Inner | undefined {
  return (session.socket as unknown as { readonly [innerKey]?: Inner })[innerKey]
}

function wrongWithRequest(req: Http2ServerRequest, inner: Inner, bounds: DoorLimits): Wrong | null {
  const { headers } = req
  const authority = headers[':authority']
  const host = headers.host
  // RFC 9113 8.3.1: a Host that says something else than :authority is malformed.
  if (authority !== undefined && host !== undefined && authority !== host) {
    return {
      status: 400,
      reason: 'http-malformed',
      words: 'Postern: Host and :authority are not the same.',
    }
  }
  return (
    wrongWithTarget(req.method, req.url, bounds) ?? wrongWithHost(authority ?? host, inner.context)
  )
}

/** `node:http` has its request timeout; here a body that never ends is reset. */
function limitReading(req: Http2ServerRequest, msMax: number): void {
  const { stream } = req
  if (stream.endAfterHeaders) return
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), msMax)
  timer.unref()
  stream.once('end', () => clearTimeout(timer))
  stream.once('close', () => clearTimeout(timer))
}

function guardResets(
  session: ServerHttp2Session,
  inner: Inner,
  options: TlsDoorOptions,
  bounds: DoorLimits,
): void {
  let since = options.world.monotonicMs()
  let resets = 0
  session.on('stream', (stream) => {
    stream.once('aborted', () => {
      const nowMs = options.world.monotonicMs()
      if (nowMs - since > minuteMs) {
        since = nowMs
        resets = 0
      }
      resets++
      if (resets <= bounds.h2ResetsPerMinuteMax || session.destroyed) return
      inner.connection.ended('refused', 'h2-rapid-reset', `${resets} resets within a minute`)
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      session.destroy()
    })
  })
}

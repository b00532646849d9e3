import type { ServerResponse } from 'node:http'
import type { Http2ServerResponse, OutgoingHttpHeaders } from 'node:http2'
import { findHeader, hopByHopOfAnswer } from './headers.ts'

/** The way back to the client, the same for HTTP/1.1 and HTTP/2. */
export type Reply = {
  /** The status line is out: nothing else can be said but the rest of the body. */
  readonly begun: boolean
  head(status: number, statusText: string, rawHeaders: readonly string[]): void
  /** False: wait for `onDrain` before the next chunk. */
  write(chunk: Buffer): boolean
  onDrain(go: () => void): void
  /** Called once when the client goes away before `end`. */
  onGone(gone: () => void): void
  end(trailers: readonly string[]): void
  /** A whole answer at once. Does nothing when one has begun. */
  whole(status: number, rawHeaders: readonly string[], body: Buffer): void
  /** Breaks the answer off, so that the client cannot take it for complete. */
  breakOff(): void
}

export function replyOverHttp1(res: ServerResponse): Reply {
  return {
    get begun() {
      return res.headersSent
    },
    head(status, statusText, rawHeaders) {
      // The provider's own Date comes through in its place.
      res.sendDate = false
      res.writeHead(status, statusText, endToEnd(rawHeaders))
      res.flushHeaders()
    },
    write: (chunk) => res.write(chunk),
    onDrain(go) {
      res.once('drain', go)
    },
    onGone(gone) {
      res.once('close', () => {
        if (!res.writableFinished) gone()
      })
    },
    end(trailers) {
      if (trailers.length > 0) {
        const pairs: [string, string][] = []
        for (let at = 0; at < trailers.length; at += 2) {
          pairs.push([trailers[at] as string, trailers[at + 1] as string])
        }
        res.addTrailers(pairs)
      }
      res.end()
    },
    whole(status, rawHeaders, body) {
      if (res.headersSent || res.destroyed) return
      res.writeHead(status, withLength(rawHeaders, body.length))
      res.end(body)
    },
    breakOff() {
      res.destroy()
    },
  }
}

export function replyOverHttp2(res: Http2ServerResponse): Reply {
  const { stream } = res
  return {
    get begun() {
      return stream.headersSent
    },
    head(status, _statusText, rawHeaders) {
      if (stream.destroyed) return
      stream.respond({ ':status': status, ...asObject(endToEnd(rawHeaders)) }, {
        waitForTrailers: true,
        sendDate: false,
      } as object)
    },
    write: (chunk) => stream.write(chunk),
    onDrain(go) {
      stream.once('drain', go)
    },
    onGone(gone) {
      stream.once('close', () => {
        if (!stream.writableFinished) gone()
      })
    },
    end(trailers) {
      // Node's response object answers `wantTrailers` with these; a second answer would throw.
      if (trailers.length > 0) res.addTrailers(asObject(trailers))
      stream.end()
    },
    whole(status, rawHeaders, body) {
      if (stream.headersSent || stream.destroyed) return
      stream.respond({ ':status': status, ...asObject(withLength(rawHeaders, body.length)) })
      stream.end(body)
    },
    breakOff() {
      stream.close(8 /* NGHTTP2_CANCEL */)
    },
  }
}

function withLength(rawHeaders: readonly string[], bytes: number): string[] {
  return findHeader(rawHeaders, 'content-length') === undefined
    ? [...rawHeaders, 'content-length', String(bytes)]
    : [...rawHeaders]
}

function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = []
  let named: ReadonlySet<string> | null = null
  for (let at = 0; at < rawHeaders.length; at += 2) {
    if ((rawHeaders[at] as string).toLowerCase() !== 'connection') continue
    named = new Set(
      (rawHeaders[at + 1] as string).split(',').map((name) => name.trim().toLowerCase()),
    )
  }
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const lower = name.toLowerCase()
    if (hopByHopOfAnswer.has(lower) || named?.has(lower) === true) continue
    kept.push(name, rawHeaders[at + 1] as string)
  }
  return kept
}

/** HTTP/2 wants lower-case names, and lists where a name comes more than once (set-cookie). */
function asObject(rawHeaders: readonly string[]): OutgoingHttpHeaders {
  const object: OutgoingHttpHeaders = {}
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase()
    const value = rawHeaders[at + 1] as string
    const had = object[name]
    if (had === undefined) object[name] = value
    else object[name] = [...(Array.isArray(had) ? had : [String(had)]), value]
  }
  return object
}

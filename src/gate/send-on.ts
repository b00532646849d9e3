import {
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib'
import type { Transform } from 'node:stream'
import type { Content } from '#words/content.ts'
import type { OpenEntry, Outcome } from '#words/entry.ts'
import type { Exchange } from '#words/exchange.ts'
import { Fault, isFault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import type { Verdict } from '#words/verdict.ts'
import { createWarner } from '#wire/warning.ts'
import { findHeader, replaceHeader, withoutHeaders } from './headers.ts'
import { outcomeOf, refuseFault } from './refuse.ts'
import type { Reply } from './reply.ts'
import type { AnswerReader, Arrival, Identified, Rooms, Upstream } from './rooms.ts'

export type Judged = {
  readonly arrival: Arrival
  readonly exchange: Exchange
  readonly who: Identified
  readonly content: Content
  readonly verdict: Verdict
}

/**
 * Forwards an exchange that may leave and streams its answer back.
 *
 * Never throws for the world's sake: what goes wrong upstream becomes a 502 that names it (or a
 * broken-off answer when one had begun), and the entry closes as failed, aborted or cut.
 */
export async function sendOn(
  rooms: Rooms,
  judged: Judged,
  reply: Reply,
  entry: OpenEntry,
): Promise<void> {
  const { arrival, exchange, who, content, verdict } = judged
  const startMs = rooms.world.monotonicMs()
  const abort = new AbortController()
  let ended: Outcome['result'] | null = null
  const stop = (result: Outcome['result']): void => {
    ended ??= result
    abort.abort()
  }
  reply.onGone(() => stop('aborted'))
  using _open = rooms.open.add({
    exchange,
    caller: who.caller,
    content,
    cut: () => stop('cut'),
  })
  const warned = verdict.kind === 'warn' && warningFits(content)
  const base = { bytesUp: exchange.body.length }
  let upstream: Upstream
  try {
    upstream = await rooms.forward.send({
      method: exchange.method,
      target: exchange.target,
      rawHeaders: headersUp(exchange, who, warned),
      body: exchange.body,
      origin: arrival.origin,
      signal: abort.signal,
      http2: arrival.http2,
    })
  } catch (cause) {
    const fault = asFault(cause, arrival.origin.host)
    if (ended === null) refuseFault(arrival, who.caller.tool, fault, reply)
    entry.close(
      outcomeOf({
        ...base,
        result: ended ?? 'failed',
        totalMs: rooms.world.monotonicMs() - startMs,
        fault: ended === null ? fault.code : '',
      }),
    )
    return
  }
  const answer = await stream(rooms, judged, upstream, reply, abort.signal, warned)
  const result = ended ?? (answer.complete ? 'answered' : 'failed')
  if (result !== 'answered') reply.breakOff()
  entry.close(
    outcomeOf({
      ...base,
      result,
      status: upstream.status,
      bytesDown: answer.bytesDown,
      firstByteMs: answer.firstByteAtMs < 0 ? -1 : answer.firstByteAtMs - startMs,
      totalMs: rooms.world.monotonicMs() - startMs,
      ...answer.summary,
      fault: answer.complete ? answer.summary.broken : 'answer-broken-off',
    }),
  )
}

type Streamed = {
  readonly complete: boolean
  readonly bytesDown: number
  readonly firstByteAtMs: number
  readonly summary: {
    readonly inputTokens: number
    readonly outputTokens: number
    readonly stopReason: string
    readonly findings: Readonly<Record<string, number>>
    readonly broken: string
  }
}

function stream(
  rooms: Rooms,
  judged: Judged,
  upstream: Upstream,
  reply: Reply,
  signal: AbortSignal,
  warned: boolean,
): Promise<Streamed> {
  const { exchange, content, who, verdict } = judged
  const contentType = findHeader(upstream.rawHeaders, 'content-type') ?? ''
  const encoding = findHeader(upstream.rawHeaders, 'content-encoding') ?? ''
  const reader = rooms.readAnswer(exchange, content, {
    status: upstream.status,
    contentType,
    encoding,
  })
  const reading = decoded(reader, encoding)
  const warner =
    warned && upstream.status === 200 && encoding === ''
      ? createWarner({
          wire: exchange.wire,
          tool: who.caller.tool,
          message: verdict.message,
          stream: contentType.startsWith('text/event-stream'),
        })
      : null
  reply.head(
    upstream.status,
    upstream.statusText,
    warner === null
      ? upstream.rawHeaders
      : withoutHeaders(upstream.rawHeaders, new Set(['content-length'])),
  )
  const { body } = upstream
  let bytesDown = 0
  let firstByteAtMs = -1
  const put = (chunk: Buffer): void => {
    if (chunk.length === 0) return
    bytesDown += chunk.length
    if (reply.write(chunk)) return
    body.pause()
    reply.onDrain(() => body.resume())
  }
  return new Promise((resolve) => {
    const done = (complete: boolean): void => {
      body.off('close', broken)
      void reading.end().then((summary) => {
        resolve({ complete, bytesDown, firstByteAtMs, summary })
      })
    }
    const broken = (): void => done(false)
    body.on('data', (chunk: Buffer) => {
      if (firstByteAtMs < 0) firstByteAtMs = rooms.world.monotonicMs()
      reading.write(chunk)
      put(warner === null ? chunk : warner.write(chunk))
    })
    body.once('end', () => {
      if (warner !== null) put(warner.end())
      if (!signal.aborted) reply.end(upstream.trailers())
      done(!signal.aborted)
    })
    body.once('error', () => {
      // `close` follows; an answer that broke off is closed as failed there.
    })
    body.once('close', broken)
    signal.addEventListener('abort', () => body.destroy(), { once: true })
    if (signal.aborted) body.destroy()
  })
}

type Reading = {
  write(chunk: Buffer): void
  end(): Promise<Streamed['summary']>
}

const streamDecoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  br: createBrotliDecompress,
  deflate: createInflate,
  zstd: createZstdDecompress,
}

/** The answer as it is to be read: through a decoder where it is compressed. */
function decoded(reader: AnswerReader, encoding: string): Reading {
  if (encoding === '' || encoding === 'identity') {
    return { write: (chunk) => reader.write(chunk), end: () => Promise.resolve(reader.end()) }
  }
  const make = Object.hasOwn(streamDecoders, encoding) ? streamDecoders[encoding] : undefined
  if (make === undefined) {
    return {
      write: () => {},
      end: () => Promise.resolve({ ...reader.end(), broken: 'answer-encoding-unknown' }),
    }
  }
  const decoder = make()
  let bytes = 0
  let broken = ''
  decoder.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= limits.decodedBodyBytesMax) reader.write(chunk)
    else broken = 'answer-too-large'
  })
  decoder.on('error', () => {
    broken = 'answer-encoding-broken'
  })
  return {
    write: (chunk) => {
      if (broken === '') decoder.write(chunk)
    },
    end: () =>
      new Promise((resolve) => {
        const finish = (): void => {
          const summary = reader.end()
          resolve(broken === '' ? summary : { ...summary, broken })
        }
        if (broken !== '' || decoder.destroyed) return finish()
        decoder.once('end', finish)
        decoder.once('error', finish)
        decoder.end()
      }),
  }
}

/** A warning goes where somebody reads it: never into structured output or a background call. */
function warningFits(content: Content): boolean {
  return !content.structured && !content.background && content.firstTurn
}

/**
 * The headers as they came, without our own credential. A warned exchange asks for an answer that
 * is not compressed, because the warning is spliced into its first text.
 */
function headersUp(exchange: Exchange, who: Identified, warned: boolean): readonly string[] {
  const own =
    who.strip.length === 0
      ? exchange.rawHeaders
      : withoutHeaders(exchange.rawHeaders, new Set(who.strip))
  return warned ? replaceHeader(own, 'accept-encoding', 'identity') : own
}

function asFault(cause: unknown, upstream: string): Fault {
  if (isFault(cause)) return cause
  return new Fault('upstream-unreachable', {
    outward: `The provider at ${upstream} did not answer.`,
    inward: String(cause),
    cause,
  })
}

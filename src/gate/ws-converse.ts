import type { Duplex } from 'node:stream'
import type { Content } from '#words/content.ts'
import type { OpenEntry } from '#words/entry.ts'
import type { Exchange } from '#words/exchange.ts'
import { limits } from '#words/limits.ts'
import { mayLeave } from '#words/verdict.ts'
import type { Verdict } from '#words/verdict.ts'
import { refuseWebSocket } from '#wire/refusal.ts'
import { createWarner } from '#wire/warning.ts'
import { openSide } from './frames.ts'
import type { FrameSide } from './frames.ts'
import { exchangeOf } from './pass.ts'
import { outcomeOf } from './refuse.ts'
import type { AnswerReader, Arrival, Identified, Rooms } from './rooms.ts'

type Joined = { readonly arrival: Arrival; readonly who: Identified; readonly entry: OpenEntry }
type End = { readonly socket: Duplex; readonly head: Buffer }

/** One message of the client whose answer is still coming. */
type Pending = {
  readonly exchange: Exchange
  readonly entry: OpenEntry
  readonly reader: AnswerReader
  readonly warner: ReturnType<typeof createWarner> | null
  readonly open: Disposable
  readonly startMs: number
  firstByteMs: number
  bytesDown: number
}

const messagesQueuedMax = 64

/**
 * Carries messages both ways until one side closes. Client messages are walked one after the
 * other: a message waits for the verdict of the one before, so order is kept.
 */
export function converse(rooms: Rooms, joined: Joined, client: End, upstream: End): Promise<void> {
  return new Promise((resolve) => {
    const talk = new Conversation(rooms, joined, client, upstream, resolve)
    talk.start()
  })
}

class Conversation {
  readonly #rooms: Rooms
  readonly #joined: Joined
  readonly #client: End
  readonly #upstream: End
  readonly #resolve: () => void
  readonly #queue: { payload: Buffer; binary: boolean }[] = []
  #walking = false
  #ended = false
  #pending: Pending | null = null
  #down!: FrameSide
  #up!: FrameSide
  #socketOpen: Disposable | null = null

  constructor(rooms: Rooms, joined: Joined, client: End, upstream: End, resolve: () => void) {
    this.#rooms = rooms
    this.#joined = joined
    this.#client = client
    this.#upstream = upstream
    this.#resolve = resolve
  }

  start(): void {
    const { arrival, who } = this.#joined
    const exchange = exchangeOf(this.#rooms, arrival, nothing, nothing)
    const content = this.#rooms.inspect(exchange, who.caller.credential)
    this.#socketOpen = this.#rooms.open.add({
      exchange,
      caller: who.caller,
      content,
      cut: () => this.#finish('cut', 1008, 'decision'),
    })
    this.#up = openSide(this.#upstream.socket, this.#upstream.head, false, {
      message: (payload, binary) => this.#fromProvider(payload, binary),
      ping: (payload) => this.#down.ping(payload),
      pong: (payload) => this.#down.pong(payload),
      close: (code, reason) => this.#finish('answered', code, reason),
      gone: () => this.#finish('failed', 1011, ''),
    })
    this.#down = openSide(this.#client.socket, this.#client.head, true, {
      message: (payload, binary) => this.#fromClient(payload, binary),
      ping: (payload) => this.#up.ping(payload),
      pong: (payload) => this.#up.pong(payload),
      close: (code, reason) => this.#finish('answered', code, reason),
      gone: () => this.#finish('aborted', 1001, ''),
    })
  }

  #fromClient(payload: Buffer, binary: boolean): void {
    this.#queue.push({ payload, binary })
    if (this.#queue.length >= messagesQueuedMax) this.#down.pause()
    if (this.#walking) return
    this.#walking = true
    void this.#walkQueue()
  }

  async #walkQueue(): Promise<void> {
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        if (this.#ended) return
        await this.#walk(next.payload, next.binary)
        if (this.#queue.length < messagesQueuedMax / 2) this.#down.resume()
      }
    } catch (cause) {
      // Not recorded means not forwarded: the socket ends here.
      this.#rooms.log('error', 'websocket-road-broken', String(cause))
      this.#say(`Postern: the gate could not record this request. ${String(cause)}`)
      this.#finish('failed', 1011, '')
    } finally {
      this.#walking = false
    }
  }

  async #walk(payload: Buffer, binary: boolean): Promise<void> {
    const { arrival, who } = this.#joined
    const asked: Arrival = binary
      ? {
          ...arrival,
          route: {
            ...arrival.route,
            purpose: 'unknown',
            unknownBecause: 'binary WebSocket messages are not part of this wire format',
          },
        }
      : arrival
    using _hold = await this.#rooms.inFlight.hold(payload.length)
    const exchange = exchangeOf(this.#rooms, asked, payload, payload)
    const content = this.#rooms.inspect(exchange, who.caller.credential)
    const verdict = this.#rooms.decide(exchange, who.caller, content)
    const entry = await this.#rooms.record.open(exchange, who.caller, content, verdict)
    if (this.#ended) {
      entry.close(outcomeOf({ result: 'aborted', bytesUp: payload.length }))
      return
    }
    if (!mayLeave(verdict)) {
      this.#say(verdict.message)
      entry.close(outcomeOf({ result: 'refused', status: 1000, bytesUp: payload.length }))
      this.#finish('refused', 1000, '')
      return
    }
    this.#closePending('answered')
    if (asksForAnswer(payload)) this.#pending = this.#await(exchange, content, verdict, entry)
    else entry.close(outcomeOf({ result: 'answered', bytesUp: payload.length }))
    this.#up.send(payload, binary)
  }

  #await(exchange: Exchange, content: Content, verdict: Verdict, entry: OpenEntry): Pending {
    const { who } = this.#joined
    const head = { status: 200, contentType: 'websocket', encoding: '' }
    return {
      exchange,
      entry,
      reader: this.#rooms.readAnswer(exchange, content, head),
      warner:
        verdict.kind === 'warn' && !content.structured && !content.background && content.firstTurn
          ? createWarner({
              wire: exchange.wire,
              tool: who.caller.tool,
              message: verdict.message,
              stream: true,
            })
          : null,
      open: this.#rooms.open.add({
        exchange,
        caller: who.caller,
        content,
        cut: () => {
          const again = this.#rooms.decide(exchange, who.caller, content)
          if (!mayLeave(again)) this.#say(again.message)
          this.#finish('cut', 1000, '')
        },
      }),
      startMs: this.#rooms.world.monotonicMs(),
      firstByteMs: -1,
      bytesDown: 0,
    }
  }

  #fromProvider(payload: Buffer, binary: boolean): void {
    const pending = this.#pending
    let out = payload
    if (pending !== null && !binary) {
      if (pending.firstByteMs < 0) {
        pending.firstByteMs = this.#rooms.world.monotonicMs() - pending.startMs
      }
      pending.reader.write(payload)
      if (pending.warner !== null) out = pending.warner.frame(payload)
      pending.bytesDown += out.length
    }
    if (!this.#down.send(out, binary)) {
      this.#up.pause()
      this.#client.socket.once('drain', () => this.#up.resume())
    }
    if (endsAnswer(payload)) this.#closePending('answered')
  }

  #closePending(result: 'answered' | 'failed' | 'aborted' | 'cut' | 'refused'): void {
    const pending = this.#pending
    if (pending === null) return
    this.#pending = null
    pending.open[Symbol.dispose]()
    const summary = pending.reader.end()
    pending.entry.close(
      outcomeOf({
        result,
        status: 200,
        bytesUp: pending.exchange.body.length,
        bytesDown: pending.bytesDown,
        firstByteMs: pending.firstByteMs,
        totalMs: this.#rooms.world.monotonicMs() - pending.startMs,
        inputTokens: summary.inputTokens,
        outputTokens: summary.outputTokens,
        stopReason: summary.stopReason,
        findings: summary.findings,
        fault: summary.broken,
      }),
    )
  }

  #say(message: string): void {
    const answer = refuseWebSocket({ wire: this.#joined.arrival.route.wire, message })
    for (const frame of answer.frames) this.#down.send(Buffer.from(frame), false)
  }

  #finish(
    result: 'answered' | 'failed' | 'aborted' | 'cut' | 'refused',
    code: number,
    reason: string,
  ): void {
    if (this.#ended) return
    this.#ended = true
    this.#socketOpen?.[Symbol.dispose]()
    this.#closePending(result === 'answered' ? 'aborted' : result)
    this.#up.close(result === 'refused' || result === 'cut' ? 1000 : code, reason)
    this.#down.close(code, reason)
    this.#joined.entry.close(outcomeOf({ result, status: 101 }))
    this.#resolve()
  }
}

const nothing = Buffer.alloc(0)

/**
 * Does the message ask for an answer? It only tells when its entry closes; the verdict was given
 * on the whole message before.
 */
function asksForAnswer(payload: Buffer): boolean {
  return /"type"\s*:\s*"response\.create"/.test(
    payload.toString('latin1', 0, Math.min(payload.length, limits.requestHeaderBytesMax)),
  )
}

function endsAnswer(payload: Buffer): boolean {
  const start = payload.toString('latin1', 0, Math.min(payload.length, 256))
  return /"type"\s*:\s*"(?:response\.(?:completed|failed|incomplete|cancelled)|error)"/.test(start)
}

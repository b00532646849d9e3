import type { WireFormat } from '#words/catalog.ts'
import type { BlockKind } from '#words/content.ts'
import { limits } from '#words/limits.ts'
import { readAnthropicEvent, readAnthropicMessage } from '#wire/answer-anthropic.ts'
import { readResponsesEvent, readResponsesObject } from '#wire/answer-responses.ts'
import type { AnswerSink } from '#wire/answer-sink.ts'
import { dataOf, SseSplitter } from '#wire/sse.ts'
import type { Detector, TextStream } from './detector.ts'

export type AnswerHead = {
  readonly status: number
  readonly contentType: string
  readonly encoding: string
}

export type AnswerSummary = {
  /** The provider's own figures; -1 when it gave none. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly stopReason: string
  /** class/rule -> count */
  readonly findings: Readonly<Record<string, number>>
  readonly blocks: number
  readonly bytes: number
  readonly textBytes: number
  readonly responseId: string
  readonly model: string
  /** Why a part of it was not read; empty when all was. */
  readonly broken: string
}

export type AnswerReader = { write(chunk: Buffer): void; end(): AnswerSummary }

/**
 * Reads an answer while it streams by, decoded. It holds nothing back and never throws for what
 * the provider sends: what cannot be read is said in `broken`.
 */
export function createAnswerReader(input: {
  readonly wire: WireFormat
  readonly head: AnswerHead
  readonly detectors: readonly Detector[]
  readonly onResponse: (id: string) => void
}): AnswerReader {
  const { wire, head } = input
  const notes = new AnswerNotes(input.detectors)
  let bytes = 0
  let broken = ''
  const read = (text: string, whole: boolean): void => {
    try {
      const value: unknown = JSON.parse(text)
      if (wire === 'anthropic-messages') {
        if (whole) readAnthropicMessage(value, notes)
        else readAnthropicEvent(value, notes)
      } else if (whole) readResponsesObject(value, notes)
      else readResponsesEvent(value, notes)
    } catch (cause) {
      if (!(cause instanceof SyntaxError)) throw cause
      broken = 'answer-not-json'
    }
  }
  const end = (): AnswerSummary => {
    const { told } = notes
    if (told.responseId !== '' && wire === 'openai-responses') input.onResponse(told.responseId)
    return {
      ...told,
      findings: notes.findings(),
      blocks: notes.blocks,
      bytes,
      textBytes: notes.textBytes,
      broken,
    }
  }
  if (wire === 'opaque') return { write: (chunk) => void (bytes += chunk.length), end }

  if (head.contentType.startsWith('text/event-stream')) {
    const splitter = new SseSplitter()
    const event = (raw: Buffer): void => {
      const data = dataOf(raw)
      if (data !== null && data !== '[DONE]') read(data, false)
    }
    return {
      write(chunk) {
        bytes += chunk.length
        for (const raw of splitter.write(chunk)) event(raw)
      },
      end() {
        const rest = splitter.rest()
        if (splitter.broken !== '') broken = splitter.broken
        else if (dataOf(rest) !== null) event(rest)
        return end()
      },
    }
  }
  if (head.contentType === 'websocket') {
    // Each write is one message.
    return {
      write(chunk) {
        bytes += chunk.length
        if (chunk.length > limits.sseEventBytesMax) broken = 'event-too-large'
        else read(chunk.toString('utf8'), false)
      },
      end,
    }
  }
  const held: Buffer[] = []
  return {
    write(chunk) {
      bytes += chunk.length
      if (bytes <= limits.sseEventBytesMax) held.push(chunk)
    },
    end() {
      if (bytes > limits.sseEventBytesMax) broken = 'answer-too-large'
      else if (bytes > 0) read(Buffer.concat(held).toString('utf8'), true)
      return end()
    },
  }
}

const channelsMax = 4096

/** Keeps one text stream per block and detector, so that a split hides nothing. */
class AnswerNotes implements AnswerSink {
  readonly told = { inputTokens: -1, outputTokens: -1, stopReason: '', responseId: '', model: '' }
  blocks = 0
  textBytes = 0
  readonly #detectors: readonly Detector[]
  readonly #open = new Map<string, { readonly streams: readonly TextStream[]; bytes: number }>()
  readonly #counts: Record<string, number> = {}

  constructor(detectors: readonly Detector[]) {
    this.#detectors = detectors
  }

  text(block: string, kind: BlockKind, text: string): void {
    let channel = this.#open.get(block)
    if (channel === undefined) {
      this.blocks++
      if (this.#open.size >= channelsMax) this.done(this.#open.keys().next().value as string)
      channel = { streams: this.#detectors.map((detector) => detector.stream(kind)), bytes: 0 }
      this.#open.set(block, channel)
    }
    const bytes = Buffer.byteLength(text)
    this.textBytes += bytes
    channel.bytes += bytes
    for (const stream of channel.streams) stream.write(text)
  }

  done(block: string): void {
    this.#add(this.#close(block))
  }

  copied(earlier: string, block: string): void {
    const whole = this.#close(block)
    for (const [name, { bytes }] of this.#open) {
      if (!name.startsWith(earlier)) continue
      this.blocks--
      this.textBytes -= bytes
      // Said in either copy is said: a provider may write them differently.
      for (const [rule, count] of Object.entries(this.#close(name))) {
        whole[rule] = Math.max(whole[rule] ?? 0, count)
      }
    }
    this.#add(whole)
  }

  findings(): Readonly<Record<string, number>> {
    for (const block of this.#open.keys()) this.done(block)
    return this.#counts
  }

  #close(block: string): Record<string, number> {
    const counts: Record<string, number> = {}
    const channel = this.#open.get(block)
    if (channel === undefined) return counts
    this.#open.delete(block)
    channel.streams.forEach((stream, at) => {
      for (const [rule, count] of Object.entries(stream.end())) {
        counts[`${this.#detectors[at]?.id ?? ''}/${rule}`] = count
      }
    })
    return counts
  }

  #add(counts: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(counts)) {
      this.#counts[name] = (this.#counts[name] ?? 0) + count
    }
  }
}

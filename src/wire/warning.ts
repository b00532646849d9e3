import type { WireFormat } from '#words/catalog.ts'
import { limits } from '#words/limits.ts'
import { spliceStrings } from './json-locate.ts'
import { SseSplitter } from './sse.ts'
import { anthropicPlaces, responsesPlaces } from './warning-places.ts'
import type { Places } from './warning-places.ts'

export type Warner = {
  /** Bytes to send on now. Never more than one event is held back. */
  write(chunk: Buffer): Buffer
  end(): Buffer
  /** One WebSocket message. */
  frame(payload: Buffer): Buffer
  /** The sentence went into the answer. False at the end: it had no text to put it in. */
  readonly added: boolean
}

/**
 * Puts a warning in front of the first text of an answer, where every client shows it: a header is
 * shown by none, and a text block of its own is dropped by one of them.
 *
 * Fails towards the answer: what cannot be read passes byte for byte and `added` stays false. All
 * bytes but the inserted ones are the provider's. See docs/decisions on warnings.
 */
export function createWarner(input: {
  readonly wire: WireFormat
  readonly tool: string
  readonly message: string
  /** The answer is a stream of events; otherwise one JSON document. */
  readonly stream: boolean
}): Warner {
  // As it stands inside a JSON string: the sentence and a blank line.
  const insert = Buffer.from(JSON.stringify(`${input.message}\n\n`).slice(1, -1))
  const places = placesOf(input.wire)
  return input.stream ? new StreamWarner(places, insert) : new DocumentWarner(places, insert)
}

function placesOf(wire: WireFormat): Places {
  if (wire === 'anthropic-messages') return anthropicPlaces()
  if (wire === 'openai-responses') return responsesPlaces()
  return { inEvent: () => [], inDocument: () => [], isOver: () => true }
}

const nothing = Buffer.alloc(0)

class StreamWarner implements Warner {
  readonly #places: Places
  readonly #insert: Buffer
  readonly #splitter = new SseSplitter()
  #passing = false
  added = false

  constructor(places: Places, insert: Buffer) {
    this.#places = places
    this.#insert = insert
  }

  write(chunk: Buffer): Buffer {
    if (this.#passing) return chunk
    const out: Buffer[] = []
    for (const event of this.#splitter.write(chunk)) out.push(this.#event(event))
    if (this.#places.isOver() || this.#splitter.broken !== '') {
      this.#passing = true
      out.push(this.#splitter.rest())
    }
    return out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out)
  }

  end(): Buffer {
    return this.#passing ? nothing : this.#splitter.rest()
  }

  frame(payload: Buffer): Buffer {
    return this.#passing ? payload : this.#edit(payload)
  }

  #event(event: Buffer): Buffer {
    const data = oneDataLine(event)
    if (data === null) return event
    const edited = this.#edit(event.subarray(data.start, data.end))
    return edited.length === data.end - data.start
      ? event
      : Buffer.concat([event.subarray(0, data.start), edited, event.subarray(data.end)])
  }

  #edit(json: Buffer): Buffer {
    const quotes = this.#places.inEvent(json)
    if (quotes.length === 0) return json
    const edited = spliceStrings(json, quotes, this.#insert)
    if (edited !== json) this.added = true
    return edited
  }
}

class DocumentWarner implements Warner {
  readonly #places: Places
  readonly #insert: Buffer
  #held: Buffer[] = []
  #bytes = 0
  added = false

  constructor(places: Places, insert: Buffer) {
    this.#places = places
    this.#insert = insert
  }

  write(chunk: Buffer): Buffer {
    this.#held.push(chunk)
    this.#bytes += chunk.length
    // Too large to hold: it passes as it is.
    return this.#bytes > limits.sseEventBytesMax ? this.#release() : nothing
  }

  end(): Buffer {
    const whole = this.#release()
    return this.#bytes > limits.sseEventBytesMax ? whole : this.frame(whole)
  }

  frame(payload: Buffer): Buffer {
    const edited = spliceStrings(payload, this.#places.inDocument(payload), this.#insert)
    if (edited !== payload) this.added = true
    return edited
  }

  #release(): Buffer {
    const all = Buffer.concat(this.#held)
    this.#held = []
    return all
  }
}

/** Range of the event's data when it stands on one line; an event split in lines is left alone. */
function oneDataLine(event: Buffer): { start: number; end: number } | null {
  let found: { start: number; end: number } | null = null
  let line = 0
  while (line < event.length) {
    let end = line
    while (end < event.length && event[end] !== 0x0a && event[end] !== 0x0d) end++
    if (event.toString('latin1', line, line + 5) === 'data:') {
      if (found !== null) return null
      found = { start: event[line + 5] === 0x20 ? line + 6 : line + 5, end }
    }
    line = end + 1
  }
  return found
}

import { limits } from '#words/limits.ts'

/**
 * Cuts a stream of server-sent events into events, wherever its chunks are split (WHATWG HTML,
 * 9.2.6). Lines end by LF, CR LF or CR.
 *
 * An event larger than `sseEventBytesMax` sets `broken` and the rest is not read.
 */
export class SseSplitter {
  broken = ''
  #held: Buffer[] = []
  #heldBytes = 0
  #text: Buffer = Buffer.alloc(0)

  /** Whole events of what has arrived: the raw bytes of each, blank line included. */
  write(chunk: Buffer): Buffer[] {
    if (this.broken !== '') return []
    this.#held.push(chunk)
    this.#heldBytes += chunk.length
    if (this.#heldBytes > limits.sseEventBytesMax) {
      this.broken = 'event-too-large'
      return []
    }
    // A blank line needs a line end in this chunk: else there is nothing to look for.
    if (chunk.indexOf(0x0a) < 0 && chunk.indexOf(0x0d) < 0) return []
    this.#text = this.#held.length === 1 ? chunk : Buffer.concat(this.#held)
    const events: Buffer[] = []
    let start = 0
    for (let end = blankLine(this.#text, start); end >= 0; end = blankLine(this.#text, start)) {
      events.push(this.#text.subarray(start, end))
      start = end
    }
    const rest = this.#text.subarray(start)
    this.#held = rest.length === 0 ? [] : [rest]
    this.#heldBytes = rest.length
    return events
  }

  /** What was not closed by a blank line. */
  rest(): Buffer {
    const rest = Buffer.concat(this.#held)
    this.#held = []
    this.#heldBytes = 0
    return rest
  }
}

/** Index behind the blank line that ends the event; -1 when it is not whole yet. */
function blankLine(text: Buffer, from: number): number {
  for (let p = from; p < text.length; p++) {
    const c = text[p]
    if (c !== 0x0a && c !== 0x0d) continue
    const next = c === 0x0d && text[p + 1] === 0x0a ? p + 2 : p + 1
    if (text[next] === 0x0a) return next + 1
    if (text[next] !== 0x0d) continue
    // A CR that ends the chunk may be half of a line end; waiting costs nothing but that byte.
    if (next + 1 >= text.length) return -1
    return text[next + 1] === 0x0a ? next + 2 : next + 1
  }
  return -1
}

/** The `data` of an event, lines joined by LF; null when it has none. */
export function dataOf(event: Buffer): string | null {
  const text = event.toString('utf8')
  let data: string | null = null
  for (const line of text.split(/\r\n|\n|\r/)) {
    if (!line.startsWith('data:')) continue
    const value = line.slice(line[5] === ' ' ? 6 : 5)
    data = data === null ? value : `${data}\n${value}`
  }
  return data
}

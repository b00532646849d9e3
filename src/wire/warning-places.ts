import { fields, list, word } from './answer-sink.ts'
import type { Fields } from './answer-sink.ts'
import { locate } from './json-locate.ts'

/** Where the first text of an answer, and every later copy of it, begins. */
export type Places = {
  /** Opening quotes in the JSON of one event of a stream. */
  inEvent(json: Buffer): readonly number[]
  /** The same for an answer that is one document. */
  inDocument(json: Buffer): readonly number[]
  /** No later event can have a copy. */
  isOver(): boolean
}

const none: readonly number[] = []

export function anthropicPlaces(): Places {
  let over = false
  return {
    inEvent(json) {
      if (over) return none
      const event = parsed(json)
      const delta = fields(event['delta'])
      const block = fields(event['content_block'])
      if (event['type'] === 'content_block_delta' && delta['type'] === 'text_delta') {
        over = true
        return [locate(json, ['delta', 'text'])]
      }
      if (event['type'] !== 'content_block_start' || block['type'] !== 'text') return none
      if (word(block['text']) === '') return none
      over = true
      return [locate(json, ['content_block', 'text'])]
    },
    inDocument(json) {
      const blocks = list(parsed(json)['content'])
      const at = blocks.findIndex((block) => fields(block)['type'] === 'text')
      return at < 0 ? none : [locate(json, ['content', at, 'text'])]
    },
    isOver: () => over,
  }
}

/**
 * The Responses wire says each text up to five times: by deltas, then by `output_text.done`,
 * `content_part.done`, `output_item.done` and `response.completed`. Clients differ in which they
 * keep, so all of them get the same words.
 */
export function responsesPlaces(): Places {
  let output: unknown = null
  let content: unknown = null
  let over = false

  const inOutput = (json: Buffer, value: unknown, path: readonly (string | number)[]) => {
    const items = list(value)
    for (let at = 0; at < items.length; at++) {
      const parts = list(fields(items[at])['content'])
      const part = parts.findIndex((entry) => fields(entry)['type'] === 'output_text')
      if (part >= 0) return [locate(json, [...path, at, 'content', part, 'text'])]
    }
    return none
  }
  const isOurs = (event: Fields): boolean =>
    event['output_index'] === output && (event['content_index'] ?? content) === content

  return {
    inEvent(json) {
      // Most events are deltas of a text that has begun.
      if (output !== null && isLaterDelta(json)) return none
      const event = parsed(json)
      const type = word(event['type'])
      if (type === 'response.output_text.delta' && output === null) {
        output = event['output_index']
        content = event['content_index']
        return [locate(json, ['delta'])]
      }
      if (/^response\.(completed|incomplete|failed)$/.test(type)) {
        over = true
        if (output === null) return none
        return inOutput(json, fields(event['response'])['output'], ['response', 'output'])
      }
      if (output === null || !isOurs(event)) return none
      if (type === 'response.output_text.done') return [locate(json, ['text'])]
      if (type === 'response.content_part.done') return [locate(json, ['part', 'text'])]
      if (type !== 'response.output_item.done') return none
      return [locate(json, ['item', 'content', content as number, 'text'])]
    },
    inDocument: (json) => inOutput(json, parsed(json)['output'], ['output']),
    isOver: () => over,
  }
}

const laterDelta = /^\s*\{\s*"type"\s*:\s*"[a-z_.]+\.delta"/

function isLaterDelta(json: Buffer): boolean {
  return laterDelta.test(json.toString('latin1', 0, Math.min(json.length, 96)))
}

function parsed(json: Buffer): Fields {
  try {
    return fields(JSON.parse(json.toString('utf8')))
  } catch (cause) {
    if (cause instanceof SyntaxError) return {}
    throw cause
  }
}

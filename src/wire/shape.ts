import { decodeString } from './json-text.ts'
import { memberValue } from './json-pointer.ts'
import type { Member, ReadableWire, Visited } from './visit.ts'

/** What a request asks for, as far as a gate must know it. */
export type Shape = {
  readonly model: string
  readonly stream: boolean
  /** The answer is to be JSON of a given form: nothing may be added to it. */
  readonly structured: boolean
  /** Nobody reads the answer: warm-ups and quota checks. */
  readonly background: boolean
  /** The request continues an answer that it names and does not repeat. Empty: it does not. */
  readonly previousResponse: string
  readonly hasTools: boolean
}

export function readShape(wire: ReadableWire, seen: Visited<unknown>): Shape {
  const word = (name: string): string => textOf(seen, seen.byName.get(name))
  const literal = (name: string): string => literalOf(seen, seen.byName.get(name))
  const tools = seen.byName.get('tools')
  const hasTools = tools !== undefined && tools.units.length > 0
  if (wire === 'anthropic-messages') {
    const format =
      within(seen, 'output_config', 'format') ??
      (seen.byName.has('output_format') && literal('output_format') !== 'null' ? full : null)
    return {
      model: word('model'),
      stream: literal('stream') === 'true',
      structured: format !== null && format.toString('latin1').trim() !== 'null',
      background: literal('max_tokens') === '1',
      previousResponse: '',
      hasTools,
    }
  }
  const format = within(seen, 'text', 'format')
  const type = format === null ? null : memberValue(format, firstByte(format), 'type')
  return {
    model: word('model'),
    stream: literal('stream') === 'true' || word('type') === 'response.create',
    structured: type !== null && type.toString('latin1').trim() !== '"text"',
    background: literal('generate') === 'false',
    previousResponse: word('previous_response_id'),
    hasTools,
  }
}

const full = Buffer.from('{}')

function within(seen: Visited<unknown>, name: string, inner: string): Buffer | null {
  const member = seen.byName.get(name)
  return member === undefined ? null : memberValue(seen.body, member.start, inner)
}

function firstByte(value: Buffer): number {
  let p = 0
  while (p < value.length && (value[p] as number) <= 0x20) p++
  return p
}

function textOf(seen: Visited<unknown>, member: Member<unknown> | undefined): string {
  if (member === undefined || seen.body[member.start] !== 0x22) return ''
  return decodeString(seen.body, member.start + 1, Math.min(member.end - 1, member.start + 257))
}

function literalOf(seen: Visited<unknown>, member: Member<unknown> | undefined): string {
  if (member === undefined) return ''
  return seen.body.toString('latin1', member.start, Math.min(member.end, member.start + 16))
}

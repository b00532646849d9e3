import { decodeString } from './json-text.ts'

/**
 * Where the value stands that a path of keys and indexes leads to; -1 when there is none. For text
 * that was parsed before and is about to be edited in place.
 */
export function locate(buf: Buffer, path: readonly (string | number)[]): number {
  let p = white(buf, 0)
  for (const step of path) {
    p = typeof step === 'string' ? member(buf, p, step) : element(buf, p, step)
    if (p < 0) return -1
  }
  return p
}

function member(buf: Buffer, object: number, name: string): number {
  if (buf[object] !== 0x7b) return -1
  let p = white(buf, object + 1)
  while (buf[p] === 0x22) {
    const end = closingQuote(buf, p + 1)
    const key = decodeString(buf, p + 1, end)
    p = white(buf, white(buf, end + 1) + 1)
    if (key === name) return p
    p = white(buf, skipValue(buf, p))
    if (buf[p] !== 0x2c) return -1
    p = white(buf, p + 1)
  }
  return -1
}

function element(buf: Buffer, array: number, index: number): number {
  if (buf[array] !== 0x5b) return -1
  let p = white(buf, array + 1)
  if (buf[p] === 0x5d) return -1
  for (let at = 0; at < index; at++) {
    p = white(buf, skipValue(buf, p))
    if (buf[p] !== 0x2c) return -1
    p = white(buf, p + 1)
  }
  return p
}

function skipValue(buf: Buffer, from: number): number {
  let depth = 0
  let p = from
  for (; p < buf.length; p++) {
    const c = buf[p]
    if (c === 0x22) {
      p = closingQuote(buf, p + 1)
      if (depth === 0) return p + 1
    } else if (c === 0x7b || c === 0x5b) depth++
    else if (c === 0x7d || c === 0x5d) {
      if (depth === 0) return p
      if (--depth === 0) return p + 1
    } else if (depth === 0 && c === 0x2c) return p
  }
  return p
}

function closingQuote(buf: Buffer, from: number): number {
  let p = from
  while (p < buf.length && buf[p] !== 0x22) p += buf[p] === 0x5c ? 2 : 1
  return p
}

function white(buf: Buffer, from: number): number {
  let p = from
  while (buf[p] === 0x20 || buf[p] === 0x0a || buf[p] === 0x0d || buf[p] === 0x09) p++
  return p
}

/** The text with `insert` put right behind the opening quote of each string named by its place. */
export function spliceStrings(text: Buffer, quotes: readonly number[], insert: Buffer): Buffer {
  const parts: Buffer[] = []
  let from = 0
  for (const quote of [...quotes].sort((one, other) => one - other)) {
    if (quote < 0 || text[quote] !== 0x22) continue
    parts.push(text.subarray(from, quote + 1), insert)
    from = quote + 1
  }
  if (parts.length === 0) return text
  parts.push(text.subarray(from))
  return Buffer.concat(parts)
}

/**
 * Is this one JSON object whose members stand in strictly rising order, at every depth, with no
 * white space? Then no key comes twice and every parser reads the same thing.
 *
 * Reads bytes, allocates nothing but a small stack. Returns false for all else, also for a depth
 * that no leaf of ours has.
 */
const depthMax = 32
const quote = 0x22
const backslash = 0x5c

/** Scratch of one synchronous call: three small arrays for each of a million leaves add up. */
const keyStart = new Int32Array(depthMax)
const keyEnd = new Int32Array(depthMax)
const isObject = new Uint8Array(depthMax)

export function canonicalScan(bytes: Buffer): boolean {
  const length = bytes.length
  let depth = 0
  let at = 0
  isObject[0] = 0

  /** From an opening quote to behind the closing one; -1 when there is none. */
  const string = (from: number): number => {
    if (bytes[from] !== quote) return -1
    for (let i = from + 1; i < length; i++) {
      const byte = bytes[i] as number
      if (byte === quote) return i + 1
      if (byte === backslash) i++
      else if (byte < 0x20) return -1
    }
    return -1
  }
  const key = (): boolean => {
    const end = string(at)
    if (end < 0 || bytes[end] !== 0x3a) return false
    const before = keyStart[depth] as number
    if (before > 0 && !rises(bytes, before, keyEnd[depth] as number, at + 1, end - 1)) return false
    keyStart[depth] = at + 1
    keyEnd[depth] = end - 1
    at = end + 1
    return true
  }

  if (bytes[0] !== 0x7b) return false
  for (;;) {
    // A value begins at `at`.
    const byte = bytes[at]
    let closed = true
    if (byte === 0x7b || byte === 0x5b) {
      if (++depth >= depthMax) return false
      isObject[depth] = byte === 0x7b ? 1 : 0
      keyStart[depth] = 0
      at++
      if (bytes[at] === byte + 2) {
        at++
        depth--
      } else closed = false
    } else if (byte === quote) {
      at = string(at)
      if (at < 0) return false
    } else {
      const start = at
      while (at < length && isScalarByte(bytes[at] as number)) at++
      if (at === start) return false
    }
    // After a value: a comma, or the end of what it stands in.
    while (closed) {
      if (depth === 0) return at === length
      const next = bytes[at++]
      if (next === 0x2c) closed = false
      else if (next === (isObject[depth] ? 0x7d : 0x5d)) depth--
      else return false
    }
    if (isObject[depth] && !key()) return false
  }
}

/** Letters of true, false, null and all of a number. */
function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x2b
  )
}

/** Is the first range before the second, byte by byte? A native call costs more for short keys. */
function rises(
  bytes: Buffer,
  from: number,
  end: number,
  nextFrom: number,
  nextEnd: number,
): boolean {
  const length = Math.min(end - from, nextEnd - nextFrom)
  for (let i = 0; i < length; i++) {
    const difference = (bytes[from + i] as number) - (bytes[nextFrom + i] as number)
    if (difference !== 0) return difference < 0
  }
  return end - from < nextEnd - nextFrom
}

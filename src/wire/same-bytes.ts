/**
 * How many bytes two buffers have in common from their start, by comparing memory: nothing is
 * hashed, so nothing can collide.
 */
export function commonPrefix(one: Buffer, other: Buffer): number {
  const end = Math.min(one.length, other.length)
  let at = 0
  let step = 256
  while (at < end) {
    const to = Math.min(end, at + step)
    if (one.compare(other, at, to, at, to) !== 0) return firstDifference(one, other, at, to)
    at = to
    step *= 4
  }
  return end
}

/** They differ somewhere in [from, to). */
function firstDifference(one: Buffer, other: Buffer, from: number, to: number): number {
  let low = from
  let high = to
  while (high - low > 32) {
    const middle = (low + high) >>> 1
    if (one.compare(other, low, middle, low, middle) === 0) low = middle
    else high = middle
  }
  while (low < high && one[low] === other[low]) low++
  return low
}

/** Does `other` have the bytes `one[from, to)` at `at`? */
export function sameBytes(
  one: Buffer,
  from: number,
  to: number,
  other: Buffer,
  at: number,
): boolean {
  const length = to - from
  if (at + length > other.length) return false
  // The ends differ more often than the starts: ask them before the whole.
  if (one[to - 1] !== other[at + length - 1]) return false
  return one.compare(other, at, at + length, from, to) === 0
}

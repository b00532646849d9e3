import { CedarError } from './cedar-value.ts'
import type { Evaluate } from './compile-expression.ts'

/**
 * `like`: a pattern in which `*` stands for any characters, also none.
 *
 * Greedy with one point of return, so the worst case is text times pattern and never exponential:
 * a policy's pattern may meet a model name that an attacker chose.
 */
export function compileLike(
  left: Evaluate,
  pattern: readonly ('Wildcard' | { readonly Literal: string })[],
): Evaluate {
  // Null is the wildcard; literals are single code points, as Cedar compares them.
  const parts: (string | null)[] = []
  for (const element of pattern) {
    if (element === 'Wildcard') parts.push(null)
    else parts.push(...Array.from(element.Literal))
  }
  return (request) => {
    const text = left(request)
    if (typeof text !== 'string') throw new CedarError('expected a string')
    return matches(Array.from(text), parts)
  }
}

function matches(text: readonly string[], pattern: readonly (string | null)[]): boolean {
  let at = 0
  let next = 0
  let star = -1
  let starAt = 0
  while (at < text.length) {
    if (next < pattern.length && pattern[next] === null) {
      star = next++
      starAt = at
    } else if (next < pattern.length && pattern[next] === text[at]) {
      next++
      at++
    } else if (star >= 0) {
      next = star + 1
      at = ++starAt
    } else return false
  }
  while (next < pattern.length && pattern[next] === null) next++
  return next === pattern.length
}

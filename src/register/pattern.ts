/**
 * Why a pattern of the catalog must not be signed into a bundle; null when it may.
 *
 * Gates run these over text that strangers write, and V8 backtracks (CWE-1333); they refuse a
 * catalog with a dangerous pattern, so it has to be found here, with file and line. Stricter than
 * the gates' own rule, and simple on purpose: a group that repeats holds neither a repetition nor
 * a branch nor a group, and nothing looks around or back.
 */
export function patternComplaint(source: string): string | null {
  try {
    void new RegExp(source, 'u')
    void new RegExp(source, 'i')
  } catch {
    return 'this is not a regular expression that JavaScript can read'
  }
  // What stands in a class or behind a backslash is a letter like any other.
  const plain = source
    .replaceAll(/\\[1-9k]/g, '\u0001')
    .replaceAll(/\\./g, 'x')
    .replaceAll(/\[[^\]]*\]/g, 'x')
  if (plain.includes('\u0001')) return 'it refers back to a group; write it without'
  if (/\(\?<?[=!]/.test(plain)) return 'it looks ahead or behind; write it without'
  const bounds = [...plain.matchAll(/\{(\d+)(?:,(\d*))?\}/g)]
  if (bounds.some(([, from, to]) => Number(from) > countMax || Number(to ?? 0) > countMax)) {
    return `it counts above ${countMax}`
  }
  if ([...plain.matchAll(/[*+]|\{\d+,\}/g)].length > repetitionsMax) {
    return `it repeats more than ${repetitionsMax} times without end`
  }
  return repeatedGroups(plain).some((inside) =>
    /[*+?|(){]/.test(inside.replace(/^\?(?::|<\w+>)/, '')),
  )
    ? 'it repeats a group that itself repeats, branches or groups; split it into two patterns'
    : null
}

const countMax = 256
const repetitionsMax = 8

/** What stands in each group that `?`, `*`, `+` or a count follows. */
function repeatedGroups(plain: string): string[] {
  const open: number[] = []
  const found: string[] = []
  for (let at = 0; at < plain.length; at += 1) {
    if (plain[at] === '(') open.push(at)
    if (plain[at] !== ')') continue
    const from = open.pop() ?? 0
    if (/[*+?{]/.test(plain[at + 1] ?? '')) found.push(plain.slice(from + 1, at))
  }
  return found
}

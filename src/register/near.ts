/**
 * The allowed word that a person most likely meant, or null when none is near: at most one third of
 * the letters differ (optimal string alignment distance, so that a swap of two letters counts once).
 */
export function nearest(written: string, allowed: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Math.max(1, Math.floor(written.length / 3)) + 1
  for (const word of allowed) {
    if (Math.abs(word.length - written.length) >= bestDistance) continue
    const distance = editDistance(written.toLowerCase(), word.toLowerCase())
    if (distance < bestDistance) {
      best = word
      bestDistance = distance
    }
  }
  return best
}

/** `did you mean "x"?`, or what may stand here. */
export function instead(written: string, allowed: readonly string[]): string {
  const near = nearest(written, allowed)
  if (near !== null) return `did you mean \`${near}\`?`
  if (allowed.length === 0) return 'nothing may stand here'
  const shown = allowed.slice(0, 24)
  const more = allowed.length - shown.length
  return `write one of: ${shown.join(', ')}${more > 0 ? ` (and ${more} more)` : ''}`
}

function editDistance(a: string, b: string): number {
  // Bounded: what is compared comes from a file that someone wrote by hand.
  if (a.length > 100 || b.length > 100) return a === b ? 0 : 100
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      }
      row.push(cost)
    }
    before = last
    last = row
  }
  return last[b.length] ?? 100
}

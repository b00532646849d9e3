/** Raw headers: names and values in turn, as `node:http` gives them, in the order of the wire. */
export type RawHeaders = readonly string[]

/** First value of a header, or undefined. `name` in lower case. */
export function findHeader(raw: RawHeaders, name: string): string | undefined {
  for (let at = 0; at < raw.length; at += 2) {
    const candidate = raw[at]
    if (candidate !== undefined && candidate.length === name.length) {
      if (candidate.toLowerCase() === name) return raw[at + 1]
    }
  }
  return undefined
}

/** The same headers without those that `drop` names (lower case). */
export function withoutHeaders(raw: RawHeaders, drop: ReadonlySet<string>): string[] {
  const kept: string[] = []
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    if (!drop.has(name.toLowerCase())) kept.push(name, raw[at + 1] as string)
  }
  return kept
}

/** The same headers with every value of one of them replaced, at its place. */
export function replaceHeader(raw: RawHeaders, name: string, value: string): string[] {
  const out = [...raw]
  for (let at = 0; at < out.length; at += 2) {
    if ((out[at] as string).toLowerCase() === name) out[at + 1] = value
  }
  return out
}

/** Content-Length as a number; null when there is none (chunked, or no body). */
export function contentLength(raw: RawHeaders): number | null {
  const text = findHeader(raw, 'content-length')
  if (text === undefined || !/^\d{1,15}$/.test(text)) return null
  return Number(text)
}

/**
 * Headers of an answer that belong to the connection and not to the answer (RFC 9110 7.6.1); our
 * own server writes its own.
 */
export const hopByHopOfAnswer: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'transfer-encoding',
  'upgrade',
  'te',
])

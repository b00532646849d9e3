export type Outbound = {
  /** Lower-case names that end here because they carried our own credential. */
  readonly strip: readonly string[]
  /** Value of Host, set where the client had it; without one, Host stays as it came. */
  readonly host?: string
  /** Bytes of the body, which we hold as a whole; absent: Content-Length stays as it came. */
  readonly bodyLength?: number
  /** A WebSocket handshake: Connection and Upgrade belong to it and pass. */
  readonly upgrade?: boolean
}

/**
 * The end-to-end headers of a message: names in their case, order and number as they came, save
 *
 * - what RFC 9110 7.6.1 keeps on one hop: Connection and every header that it names, Keep-Alive,
 *   Proxy-*, TE (but `trailers`), Transfer-Encoding, Upgrade;
 * - Expect, because we hold the whole body already;
 * - what `strip` names.
 *
 * A client that sent its body in chunks gets a Content-Length where its Transfer-Encoding stood.
 * Connection cannot be used to strike out a header that we set (Host, Content-Length).
 */
export function endToEndHeaders(rawHeaders: readonly string[], out: Outbound): string[] {
  const named = namedByConnection(rawHeaders)
  const kept: string[] = []
  let hostSet = out.host === undefined
  let lengthSet = out.bodyLength === undefined
  const length = String(out.bodyLength ?? '')
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    const value = rawHeaders[at + 1] as string
    const kind = kindOf(name)
    if (kind === endToEnd && named === null && out.strip.length === 0) {
      kept.push(name, value)
      continue
    }
    const lower = name.toLowerCase()
    if (out.strip.includes(lower)) continue
    switch (kind) {
      case host:
        if (out.host === undefined) kept.push(name, value)
        else if (!hostSet) kept.push(name, out.host)
        hostSet = true
        continue
      case contentLength:
        if (out.bodyLength === undefined) kept.push(name, value)
        else if (!lengthSet) kept.push(name, length)
        lengthSet = true
        continue
      case transferEncoding:
        if (!lengthSet) kept.push('Content-Length', length)
        lengthSet = true
        continue
      case te:
        if (value.trim().toLowerCase() === 'trailers') kept.push(name, value)
        continue
      case handshake:
        if (out.upgrade === true) kept.push(name, value)
        continue
      case hopByHop:
        continue
      default:
        if (named === null || !named.has(lower)) kept.push(name, value)
    }
  }
  if (!hostSet) kept.unshift('Host', out.host as string)
  if (!lengthSet && out.bodyLength !== 0) kept.push('Content-Length', length)
  return kept
}

const endToEnd = 0
const host = 1
const contentLength = 2
const transferEncoding = 3
const te = 4
const handshake = 5
const hopByHop = 6

const kinds: ReadonlyMap<string, number> = new Map([
  ['host', host],
  ['content-length', contentLength],
  ['transfer-encoding', transferEncoding],
  ['te', te],
  ['connection', handshake],
  ['upgrade', handshake],
  ['keep-alive', hopByHop],
  ['expect', hopByHop],
  ['http2-settings', hopByHop],
])
const lengths = new Set([...kinds.keys()].map((name) => name.length))

function kindOf(name: string): number {
  const first = name.charCodeAt(0) | 0x20
  // `proxy-…`, as a family: proxy-authorization, proxy-connection, proxy-authenticate.
  if (first === 0x70 && name.slice(0, 6).toLowerCase() === 'proxy-') return hopByHop
  if (!lengths.has(name.length)) return endToEnd
  return kinds.get(name.toLowerCase()) ?? endToEnd
}

function namedByConnection(rawHeaders: readonly string[]): ReadonlySet<string> | null {
  let names: Set<string> | null = null
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    for (const part of (rawHeaders[at + 1] as string).split(',')) {
      const option = part.trim().toLowerCase()
      if (option === '' || option === 'keep-alive' || option === 'close') continue
      ;(names ??= new Set()).add(option)
    }
  }
  return names
}

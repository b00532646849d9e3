import { isIP } from 'node:net'

const label = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/

/**
 * A host name in its one spelling: lower case, no final dot. Null for anything that is not a DNS
 * name in ASCII (RFC 1123 2.1, and the underscore that some services use).
 *
 * A name whose last label is a number is refused: `127.1`, `0x7f.1` and `2130706433` are addresses
 * to `getaddrinfo` and names to a filter, which is how a client would walk round an address list
 * (WHATWG URL, "ends in a number").
 */
export function readHostName(text: string): string | null {
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase()
  if (name.length === 0 || name.length > 253) return null
  const labels = name.split('.')
  if (!labels.every((part) => label.test(part))) return null
  const last = labels.at(-1) as string
  return /^(?:\d+|0x[0-9a-f]*)$/.test(last) ? null : name
}

export type Authority = {
  /** A DNS name, or an address without brackets. */
  readonly host: string
  readonly port: number
  readonly isAddress: boolean
}

/**
 * `host:port`, `address:port` or `[address]:port`, as in a CONNECT target or a Host header. Null
 * when it is anything else; no user part, no zone, no empty port.
 */
export function readAuthority(text: string, defaultPort: number | null): Authority | null {
  if (text.length > 300) return null
  const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]@/?#\s]+))(?::(\d{1,5}))?$/.exec(text)
  if (parts === null) return null
  const port = parts[3] === undefined ? defaultPort : Number(parts[3])
  if (port === null || port < 1 || port > 65_535) return null
  if (parts[1] !== undefined) {
    if (isIP(parts[1]) !== 6) return null
    return { host: parts[1].toLowerCase(), port, isAddress: true }
  }
  const text4 = parts[2] as string
  if (isIP(text4) === 4) return { host: text4, port, isAddress: true }
  const host = readHostName(text4)
  return host === null ? null : { host, port, isAddress: false }
}

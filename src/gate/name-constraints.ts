import { invariant } from '#words/faults.ts'

/** Object identifier of the extension (RFC 5280 4.2.1.10). */
export const nameConstraintsOid = '2.5.29.30'

const tag = { sequence: 0x30, permitted: 0xa0, excluded: 0xa1, dns: 0x82, ip: 0x87 } as const

/** Every IPv4 and every IPv6 address: zero address with zero mask. */
const everyAddress: readonly Buffer[] = [Buffer.alloc(8), Buffer.alloc(32)]

/**
 * NameConstraints ::= SEQUENCE { permittedSubtrees [0], excludedSubtrees [1] }.
 *
 * The exclusion of all addresses is not decoration: constraints bind only the kinds of name that
 * they mention, so with permitted DNS names alone Node, Bun, curl and OpenSSL take a leaf for an
 * IP address. An empty list permits every DNS name and still no address.
 */
export function encodeNameConstraints(permitted: readonly string[]): Buffer {
  const names = permitted.map((name) => subtree(tag.dns, Buffer.from(name, 'ascii')))
  const addresses = everyAddress.map((range) => subtree(tag.ip, range))
  return der(
    tag.sequence,
    ...(names.length > 0 ? [der(tag.permitted, ...names)] : []),
    der(tag.excluded, ...addresses),
  )
}

function subtree(kind: number, base: Buffer): Buffer {
  return der(tag.sequence, der(kind, base))
}

function der(kind: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  invariant(length < 65_536, 'name constraints are short')
  const head =
    length < 128
      ? [kind, length]
      : length < 256
        ? [kind, 0x81, length]
        : [kind, 0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from(head), content])
}

export type NameConstraints = {
  /** DNS subtrees; empty when the extension permits every DNS name. */
  readonly permitted: readonly string[]
  readonly excludesEveryAddress: boolean
}

/** Null when the bytes are not name constraints of the kind that we write. */
export function decodeNameConstraints(bytes: Buffer): NameConstraints | null {
  const outer = children(bytes)
  if (outer?.length !== 1 || outer[0]?.kind !== tag.sequence) return null
  const sides = children(outer[0].content)
  if (sides === null) return null
  const permitted: string[] = []
  const excluded: Buffer[] = []
  for (const side of sides) {
    const trees = children(side.content)
    if (trees === null || (side.kind !== tag.permitted && side.kind !== tag.excluded)) return null
    for (const tree of trees) {
      const base = children(tree.content)
      const name = base?.[0]
      // `minimum` and `maximum` have no place in this profile (RFC 5280 4.2.1.10).
      if (base?.length !== 1 || name === undefined) return null
      if (side.kind === tag.permitted) {
        if (name.kind !== tag.dns) return null
        permitted.push(name.content.toString('latin1').toLowerCase())
      } else if (name.kind === tag.ip) excluded.push(name.content)
    }
  }
  const excludesEveryAddress = everyAddress.every((range) =>
    excluded.some((have) => have.equals(range)),
  )
  return { permitted, excludesEveryAddress }
}

type Node = { readonly kind: number; readonly content: Buffer }

function children(bytes: Buffer): Node[] | null {
  const found: Node[] = []
  let at = 0
  while (at < bytes.length) {
    const kind = bytes[at]
    const first = bytes[at + 1]
    if (kind === undefined || first === undefined) return null
    let length = first
    let start = at + 2
    if (first === 0x81) {
      length = bytes[start] ?? 65_536
      start += 1
    } else if (first === 0x82) {
      length = start + 2 <= bytes.length ? bytes.readUInt16BE(start) : 65_536
      start += 2
    } else if (first > 0x7f) return null
    if (start + length > bytes.length) return null
    found.push({ kind, content: bytes.subarray(start, start + length) })
    at = start + length
  }
  return found
}

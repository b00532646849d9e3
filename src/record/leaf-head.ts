/**
 * The first members of a leaf, read from its bytes without parsing the rest.
 *
 * Returns null for anything that does not start exactly as `leaf.ts` writes it. Whether the rest
 * is canonical too (no second `counter` further back that a JSON parser would prefer) is
 * `canonicalScan`'s question.
 */
export type LeafHead = {
  readonly at: number
  readonly counter: number
  readonly kind: string
  readonly node: string
  /** Counter of the verdict that an outcome closes; 0 for every other kind. */
  readonly of: number
}

const shape =
  /^\{"at":(\d{1,16}),"counter":(\d{1,16}),"kind":"([a-z]{2,16})","node":"([^"\\]{1,200})",(?:"of":(\d{1,16}),)?"public":\{/

/** Longest head that the shape can match, bytes. */
const headBytesMax = 400

export function readHead(leaf: Buffer): LeafHead | null {
  const text = leaf.toString('latin1', 0, Math.min(leaf.length, headBytesMax))
  const match = shape.exec(text)
  if (!match) return null
  const [, at, counter, kind, node, of] = match
  if (at === undefined || counter === undefined || kind === undefined || node === undefined) {
    return null
  }
  return {
    at: Number(at),
    counter: Number(counter),
    kind,
    node,
    of: of === undefined ? 0 : Number(of),
  }
}

import { invariant } from '#words/faults.ts'
import { emptyRoot, leafHash, nodeHash } from './hashing.ts'

export { leafHash }

/**
 * Proofs over an RFC 6962 tree.
 *
 * A verifier returns false for every proof that does not lead to the root that was signed: too
 * short, too long, or of another tree. Nothing here trusts who sent it.
 *
 * `Nodes` gives the hash of a perfect subtree: `level` 0 are leaves, `index` counts subtrees of
 * that size from the left.
 */
export type Nodes = (level: number, index: number) => Buffer | Promise<Buffer>

/** Largest power of two that is below `size` (k of RFC 6962); arithmetic, since sizes pass 2^31. */
export function splitPoint(size: number): number {
  let k = 1
  while (k * 2 < size) k *= 2
  return k
}

function levelOf(size: number): number {
  return Math.round(Math.log2(size))
}

function isPerfect(size: number): boolean {
  return 2 ** levelOf(size) === size
}

/** MTH(D[start:end]) where the range is a subtree of RFC 6962's recursion. */
async function rangeHash(nodes: Nodes, start: number, end: number): Promise<Buffer> {
  const size = end - start
  if (size === 0) return emptyRoot
  if (isPerfect(size)) return await nodes(levelOf(size), start / size)
  const k = splitPoint(size)
  return nodeHash(await rangeHash(nodes, start, start + k), await rangeHash(nodes, start + k, end))
}

export async function rootOf(nodes: Nodes, size: number): Promise<Buffer> {
  return await rangeHash(nodes, 0, size)
}

/**
 * Hashes outside [from, to) that, with the leaves inside, give the root of a tree of `size`: in the
 * order in which the recursion meets them. For one leaf this is the audit path from the top.
 */
export async function proveRange(
  nodes: Nodes,
  from: number,
  to: number,
  size: number,
): Promise<Buffer[]> {
  invariant(from >= 0 && from < to && to <= size, 'the range is in the tree')
  const proof: Buffer[] = []
  const walk = async (start: number, end: number): Promise<void> => {
    if (end <= from || start >= to) {
      proof.push(await rangeHash(nodes, start, end))
      return
    }
    if (start >= from && end <= to) return
    const k = splitPoint(end - start)
    await walk(start, start + k)
    await walk(start + k, end)
  }
  await walk(0, size)
  return proof
}

/** Do these leaf hashes stand at `from` in the tree of `size` with this root? */
export function rangeHolds(
  leafHashes: readonly Buffer[],
  from: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  const to = from + leafHashes.length
  if (leafHashes.length === 0 || to > size) return false
  let used = 0
  const walk = (start: number, end: number): Buffer | null => {
    if (end <= from || start >= to) return proof[used++] ?? null
    if (end - start === 1) return leafHashes[start - from] ?? null
    const k = splitPoint(end - start)
    const left = walk(start, start + k)
    const right = left && walk(start + k, end)
    return left && right && nodeHash(left, right)
  }
  const computed = walk(0, size)
  return computed !== null && used === proof.length && computed.equals(root)
}

/** RFC 6962 section 2.1.1: the leaf's sibling first, the root's child last. */
export async function proveInclusion(nodes: Nodes, index: number, size: number): Promise<Buffer[]> {
  invariant(index >= 0 && index < size, 'the leaf is in the tree')
  const path = async (start: number, end: number): Promise<Buffer[]> => {
    if (end - start === 1) return []
    const k = splitPoint(end - start)
    const middle = start + k
    if (index < middle) {
      return [...(await path(start, middle)), await rangeHash(nodes, middle, end)]
    }
    return [...(await path(middle, end)), await rangeHash(nodes, start, middle)]
  }
  return await path(0, size)
}

export function inclusionHolds(
  leaf: Buffer,
  index: number,
  size: number,
  proof: readonly Buffer[],
  root: Buffer,
): boolean {
  if (index < 0 || index >= size) return false
  let depth = proof.length
  const climb = (start: number, end: number): Buffer | null => {
    if (end - start === 1) return leaf
    const sibling = proof[--depth]
    if (!sibling) return null
    const middle = start + splitPoint(end - start)
    const inside = index < middle ? climb(start, middle) : climb(middle, end)
    if (!inside) return null
    return index < middle ? nodeHash(inside, sibling) : nodeHash(sibling, inside)
  }
  const computed = climb(0, size)
  return computed !== null && depth === 0 && computed.equals(root)
}

/** RFC 6962 section 2.1.2, from a tree of `old` leaves to one of `size`. */
export async function proveConsistency(nodes: Nodes, old: number, size: number): Promise<Buffer[]> {
  invariant(old >= 0 && old <= size, 'a tree grows out of a smaller one')
  if (old === 0 || old === size) return []
  const prove = async (
    m: number,
    start: number,
    end: number,
    whole: boolean,
  ): Promise<Buffer[]> => {
    if (m === end) return whole ? [] : [await rangeHash(nodes, start, end)]
    const middle = start + splitPoint(end - start)
    if (m <= middle) {
      return [...(await prove(m, start, middle, whole)), await rangeHash(nodes, middle, end)]
    }
    return [...(await prove(m, middle, end, false)), await rangeHash(nodes, start, middle)]
  }
  return await prove(old, 0, size, true)
}

export function consistencyHolds(
  old: number,
  oldRoot: Buffer,
  size: number,
  root: Buffer,
  proof: readonly Buffer[],
): boolean {
  if (old > size || old < 0) return false
  if (old === 0) return proof.length === 0 && oldRoot.equals(emptyRoot)
  if (old === size) return proof.length === 0 && oldRoot.equals(root)
  let depth = proof.length
  /** The pair of hashes that this subtree has in the old tree and in the new one. */
  const climb = (start: number, end: number, whole: boolean): [Buffer, Buffer] | null => {
    if (old === end) {
      if (whole) return [oldRoot, oldRoot]
      const hash = proof[--depth]
      return hash ? [hash, hash] : null
    }
    const sibling = proof[--depth]
    if (!sibling) return null
    const middle = start + splitPoint(end - start)
    if (old <= middle) {
      const pair = climb(start, middle, whole)
      return pair && [pair[0], nodeHash(pair[1], sibling)]
    }
    const pair = climb(middle, end, false)
    return pair && [nodeHash(sibling, pair[0]), nodeHash(sibling, pair[1])]
  }
  const pair = climb(0, size, true)
  return pair !== null && depth === 0 && pair[0].equals(oldRoot) && pair[1].equals(root)
}

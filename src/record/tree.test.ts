import fc from 'fast-check'
import { expect, test } from 'vitest'
import { emptyRoot, leafHash, nodeHash } from './hashing.ts'
import { foldPerfect, tileNumber, tilePath, widthAt } from './tiles.ts'
import {
  consistencyHolds,
  inclusionHolds,
  proveConsistency,
  proveInclusion,
  proveRange,
  rangeHolds,
  rootOf,
} from './tree.ts'
import type { Nodes } from './tree.ts'

const leaves = Array.from({ length: 700 }, (_, at) => leafHash(Buffer.from(`entry ${at}`)))
const nodes: Nodes = (level, index) => {
  return foldPerfect(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))
}
const sizes = fc.integer({ min: 1, max: leaves.length })

/** RFC 6962 section 2.1, word for word: the oracle. */
function plainRoot(hashes: readonly Buffer[]): Buffer {
  const [only] = hashes
  if (only === undefined) return emptyRoot
  if (hashes.length === 1) return only
  let k = 1
  while (k * 2 < hashes.length) k *= 2
  return nodeHash(plainRoot(hashes.slice(0, k)), plainRoot(hashes.slice(k)))
}

function flipped(hashes: readonly Buffer[], at: number): Buffer[] {
  return hashes.map((hash, index) => {
    const copy = Buffer.from(hash)
    if (index === at % hashes.length) copy[at % 32] = (copy[at % 32] ?? 0) ^ 1
    return copy
  })
}

test('known hashes of RFC 6962 trees', () => {
  // The test vectors of certificate-transparency's Merkle tree: nothing, and one empty leaf.
  expect(emptyRoot.toString('hex')).toBe(
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  )
  expect(leafHash(Buffer.alloc(0)).toString('hex')).toBe(
    '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  )
})

test('every inclusion proof holds, and no other', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, pick, twist) => {
      const index = pick % size
      const root = plainRoot(leaves.slice(0, size))
      expect((await rootOf(nodes, size)).equals(root)).toBe(true)
      const proof = await proveInclusion(nodes, index, size)
      const leaf = leaves[index] as Buffer
      expect(inclusionHolds(leaf, index, size, proof, root)).toBe(true)
      expect(inclusionHolds(leafHash(Buffer.from('x')), index, size, proof, root)).toBe(false)
      expect(inclusionHolds(leaf, index, size, [...proof, root], root)).toBe(false)
      if (proof.length === 0) return
      expect(inclusionHolds(leaf, index, size, flipped(proof, twist), root)).toBe(false)
      expect(inclusionHolds(leaf, index, size, proof.slice(1), root)).toBe(false)
    }),
    { numRuns: 60 },
  )
})

test('every consistency proof holds, and none leads to a forked tree', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, pick, twist) => {
      const old = pick % (size + 1)
      const oldRoot = plainRoot(leaves.slice(0, old))
      const root = plainRoot(leaves.slice(0, size))
      const proof = await proveConsistency(nodes, old, size)
      expect(consistencyHolds(old, oldRoot, size, root, proof)).toBe(true)
      const forked = plainRoot([...leaves.slice(0, size - 1), leafHash(Buffer.from('fork'))])
      if (old > 0) expect(consistencyHolds(old, forked, size, root, proof)).toBe(false)
      if (old > 0) expect(consistencyHolds(old, oldRoot, size, forked, proof)).toBe(false)
      if (proof.length > 0) {
        expect(consistencyHolds(old, oldRoot, size, root, flipped(proof, twist))).toBe(false)
      }
    }),
    { numRuns: 60 },
  )
})

test('a range of leaves is proved at its place and nowhere else', async () => {
  await fc.assert(
    fc.asyncProperty(sizes, fc.nat(), fc.nat(), async (size, a, b) => {
      const from = a % size
      const count = 1 + (b % (size - from))
      const root = plainRoot(leaves.slice(0, size))
      const proof = await proveRange(nodes, from, from + count, size)
      const run = leaves.slice(from, from + count)
      expect(rangeHolds(run, from, size, proof, root)).toBe(true)
      expect(rangeHolds(run.slice(1), from, size, proof, root)).toBe(false)
      expect(rangeHolds(run, from + 1, size, proof, root)).toBe(false)
    }),
    { numRuns: 60 },
  )
})

test('paths and widths of the tlog-tiles specification', () => {
  expect(tileNumber(1_234_067)).toBe('x001/x234/067')
  expect(tilePath(0, 273, 112)).toBe('tile/0/273.p/112')
  // The specification's example of a tree of size 70,000.
  expect([widthAt(0, 273, 70_000), widthAt(1, 1, 70_000), widthAt(2, 0, 70_000)]).toEqual([
    112, 17, 1,
  ])
})

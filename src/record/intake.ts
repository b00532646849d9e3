import type { KeyObject } from 'node:crypto'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import type { ShippedBatch } from './batch.ts'
import { readBlock, readHeader } from './block.ts'
import type { Block } from './block.ts'
import { readHead } from './leaf-head.ts'
import { readOpenings } from './leaf.ts'
import type { Opening } from './leaf.ts'
import { segmentKeyOf, unseal } from './seal.ts'
import { sealedAbout } from './group-commit.ts'

/** A group commit that was checked as far as it can be without knowing the node's history. */
export type CheckedBlock = {
  readonly block: Block
  readonly openings: readonly Opening[]
  readonly atMs: readonly number[]
  readonly pseudonyms: readonly (string | null)[]
}

const blocksPerTurn = 32

/**
 * Reads a batch and trusts nothing: whole group commits only, each signed by the node, each leaf
 * naming the node and its own counter. Throws `batch-refused`.
 */
export async function checkBatch(
  batch: ShippedBatch,
  origin: string,
  nodeKey: KeyObject,
  controlKey: KeyObject,
): Promise<CheckedBlock[]> {
  const { header } = readHeader(batch.header, nodeKey)
  if (header.node !== batch.node || header.origin !== origin) throw refused(batch.node, 'header')
  const segmentKey = segmentKeyOf(header.ephemeral, controlKey)
  const signer = { origin, node: batch.node, key: nodeKey }
  const checked: CheckedBlock[] = []
  for (let at = 0; at < batch.blocks.length;) {
    const block = readBlock(batch.blocks, at, signer)
    if (!block) throw refused(batch.node, `a group commit at byte ${at}`)
    checked.push(checkBlock(block, batch.node, segmentKey))
    at += block.length
    // Signatures take 0.1 ms each: let others have a turn.
    if (checked.length % blocksPerTurn === 0) await new Promise(setImmediate)
  }
  return checked
}

function checkBlock(block: Block, node: NodeId, segmentKey: Buffer): CheckedBlock {
  const { first } = block.receipt
  const atMs: number[] = []
  const pseudonyms: (string | null)[] = []
  block.leaves.forEach((leaf, at) => {
    const head = readHead(leaf)
    if (!head || head.node !== node || head.counter !== first + at) {
      throw refused(node, `entry ${first + at}`)
    }
    atMs.push(head.at)
    pseudonyms.push(subjectOf(leaf))
  })
  const openings =
    block.sealed.length === 0
      ? []
      : readOpenings(unseal(segmentKey, block.sealed, sealedAbout(node, first)), first)
  return { block, openings, atMs, pseudonyms }
}

/** `"subject"` stands last but one, so it is read from the end. */
function subjectOf(leaf: Buffer): string | null {
  const tail = leaf.toString('latin1', Math.max(0, leaf.length - 80))
  return /"subject":"(p_[a-z2-7]{26})","v":1\}$/.exec(tail)?.[1] ?? null
}

function refused(node: string, what: string): Fault {
  return new Fault('batch-refused', {
    outward: 'The batch is not what the node signed.',
    inward: `Batch of ${node}: ${what} is not whole, not signed, or names another node.`,
  })
}

import { Fault } from '#words/faults.ts'
import type { Ack, ShippedBatch } from './batch.ts'
import { blockHeadBytes } from './block.ts'
import { readU64 } from './bytes.ts'
import { openCheckpoint } from './checkpoint.ts'
import { emptyRoot, sha256 } from './hashing.ts'
import type { VerifierKey } from './note.ts'
import { consistencyHolds, rangeHolds } from './tree.ts'

/**
 * Does the log really hold what was sent? Signature of the log, growth out of the tree that this
 * gate saw last, and inclusion of every leaf of the batch. Throws `log-invalid`: control lost or
 * changed entries, or shows this gate another history.
 */
export function checkAck(
  ack: Ack,
  batch: ShippedBatch,
  seen: { readonly size: number; readonly root: string },
  logKey: VerifierKey,
): { size: number; root: string } {
  const { size, root } = openCheckpoint(ack.checkpoint, logKey)
  const seenRoot = seen.size === 0 ? emptyRoot : Buffer.from(seen.root, 'base64')
  if (!consistencyHolds(seen.size, seenRoot, size, root, ack.consistency.map(fromBase64))) {
    throw invalid('its head does not grow out of the one that this gate saw before')
  }
  const { first, hashes } = leavesOf(batch.blocks)
  let proven = 0
  for (const run of ack.runs) {
    const leaves = hashes.slice(proven, proven + run.count)
    if (run.first !== first + proven || leaves.length !== run.count) break
    if (!rangeHolds(leaves, run.index, size, run.proof.map(fromBase64), root)) break
    proven += run.count
  }
  if (proven !== hashes.length) throw invalid(`entry ${first + proven} is not in it`)
  return { size, root: root.toString('base64') }
}

function fromBase64(text: string): Buffer {
  return Buffer.from(text, 'base64')
}

/** Our own bytes, so they are read without a check. */
function leavesOf(blocks: Buffer): { first: number; hashes: Buffer[] } {
  const hashes: Buffer[] = []
  for (let at = 0; at < blocks.length; at += blocks.readUInt32BE(at + 4)) {
    let offset = at + blockHeadBytes
    for (let left = blocks.readUInt32BE(at + 16); left > 0; left--) {
      const end = offset + 5 + blocks.readUInt32BE(offset)
      hashes.push(sha256(blocks.subarray(offset + 4, end)))
      offset = end
    }
  }
  return { first: readU64(blocks, 8), hashes }
}

function invalid(why: string): Fault {
  return new Fault('log-invalid', {
    outward: 'Control could not show that the log holds the entries of this gate.',
    inward: `The log's answer is wrong: ${why}.`,
  })
}

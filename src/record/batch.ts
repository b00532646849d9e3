import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'

/** What a gate ships: whole group commits, byte for byte as they lie in its spool. */
export type ShippedBatch = {
  readonly node: NodeId
  /** Size of the last checkpoint that the gate verified; 0 for none. */
  readonly seenSize: number
  /** The segment's header, with the node's signature. */
  readonly header: Buffer
  readonly blocks: Buffer
}

/** Where leaves of the batch stand, and why the gate may believe it. */
export type Run = {
  readonly first: number
  readonly count: number
  readonly index: number
  readonly proof: readonly string[]
}

/** Control's answer, JSON. The gate believes nothing of it that it did not verify. */
export type Ack = {
  readonly v: 1
  readonly node: NodeId
  /** Highest counter of the node that is in the log. */
  readonly last: number
  readonly checkpoint: string
  readonly runs: readonly Run[]
  /** From the tree that the gate saw last to this one. */
  readonly consistency: readonly string[]
}

/** Largest batch that control reads, bytes. */
export const shippedBatchBytesMax = 24 * 1024 * 1024

/** For the wire: u32 length, JSON {node, seenSize, header: bytes}, header, blocks. */
export function encodeBatch(batch: ShippedBatch): Buffer {
  const head = Buffer.from(
    JSON.stringify({
      v: 1,
      node: batch.node,
      seenSize: batch.seenSize,
      header: batch.header.length,
    }),
  )
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, batch.header, batch.blocks])
}

/** Throws `batch-refused` on anything else. */
export function decodeBatch(bytes: Buffer): ShippedBatch {
  const refused = (cause?: unknown) =>
    new Fault('batch-refused', { outward: 'This is not a batch of entries.', cause })
  if (bytes.length < 4 || bytes.length > shippedBatchBytesMax) throw refused()
  const headEnd = 4 + bytes.readUInt32BE(0)
  if (headEnd > Math.min(bytes.length, 4096)) throw refused()
  let head: { v?: unknown; node?: unknown; seenSize?: unknown; header?: unknown }
  try {
    head = JSON.parse(bytes.toString('utf8', 4, headEnd)) as typeof head
  } catch (cause) {
    throw refused(cause)
  }
  const { v, node, seenSize, header } = head
  if (v !== 1 || typeof node !== 'string') throw refused()
  if (typeof seenSize !== 'number' || !Number.isSafeInteger(seenSize) || seenSize < 0)
    throw refused()
  if (typeof header !== 'number' || !Number.isSafeInteger(header) || header < 0) throw refused()
  if (headEnd + header > bytes.length) throw refused()
  return {
    node: node as NodeId,
    seenSize,
    header: bytes.subarray(headEnd, headEnd + header),
    blocks: bytes.subarray(headEnd + header),
  }
}

import { sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { canonicalJson } from '#words/canonical.ts'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { ByteWriter, readU64 } from './bytes.ts'
import { hashBytes, sha256 } from './hashing.ts'

/**
 * What lies in a spool segment, format 1.
 *
 *   header  "PSH1" u32 length, canonical JSON, Ed25519 signature (64)
 *   block   "PSB1" u32 length, u64 first counter, u32 count, u32 bytes of leaves, u32 bytes of
 *           sealed openings, previous head (32); leaves, each u32 length, 0x00, entry; sealed
 *           openings; head (32), Ed25519 signature (64) = the receipt
 *
 * A block is one group commit. Its receipt is the node's signature over the running hash of all
 * leaves so far, so that neither a leaf nor the order of two can be changed later without the
 * node's key. All integers are big-endian.
 */
const headerMagic = 0x50534831
const blockMagic = 0x50534231
export const blockHeadBytes = 60
export const receiptBytes = hashBytes + 64

export type SegmentHeader = {
  readonly v: 1
  readonly origin: string
  readonly node: NodeId
  readonly segment: number
  /** Counter of the first entry in this segment. */
  readonly first: number
  /** Base64 head before the first entry. */
  readonly head: string
  /** Verdicts without an outcome when the segment was begun: counter, time, exchange, subject. */
  readonly open: readonly OpenVerdict[]
  /** Which of control's keys can read the openings, and the ephemeral key for it. */
  readonly reader: string
  readonly ephemeral: string
}

export type OpenVerdict = {
  readonly counter: number
  readonly exchange: string
  readonly subject: string | null
}

export type Receipt = {
  readonly first: number
  readonly last: number
  readonly previous: Buffer
  readonly head: Buffer
  readonly sealedDigest: Buffer
  readonly signature: Buffer
}

export type Block = {
  readonly receipt: Receipt
  readonly leaves: readonly Buffer[]
  readonly leafHashes: readonly Buffer[]
  readonly sealed: Buffer
  /** Bytes of the whole block. */
  readonly length: number
}

export const noHead: Buffer = Buffer.alloc(hashBytes)

/** head' = SHA-256(0x02 || head || leaf hashes): 0x02 so that no tree node can stand for a head. */
export function nextHead(previous: Uint8Array, leafHashes: readonly Uint8Array[]): Buffer {
  const text = Buffer.allocUnsafe(1 + hashBytes * (leafHashes.length + 1))
  text[0] = 0x02
  text.set(previous, 1)
  leafHashes.forEach((hash, at) => text.set(hash, 1 + hashBytes * (at + 1)))
  return sha256(text)
}

/** What the node signs. The origin keeps a receipt of one jurisdiction out of another's log. */
export function receiptText(
  origin: string,
  node: string,
  receipt: Omit<Receipt, 'signature'>,
): Buffer {
  return Buffer.from(
    `postern-receipt/1\n${origin}\n${node}\n${receipt.first}\n${receipt.last}\n` +
      `${receipt.previous.toString('base64')}\n${receipt.head.toString('base64')}\n` +
      `${receipt.sealedDigest.toString('base64')}\n`,
  )
}

export function receiptHolds(
  origin: string,
  node: string,
  receipt: Receipt,
  key: KeyObject,
): boolean {
  return verify(null, receiptText(origin, node, receipt), key, receipt.signature)
}

export function writeHeader(header: SegmentHeader, key: KeyObject): Buffer {
  const text = Buffer.from(canonicalJson(header))
  const head = Buffer.alloc(8)
  head.writeUInt32BE(headerMagic, 0)
  head.writeUInt32BE(text.length + 72, 4)
  return Buffer.concat([head, text, sign(null, Buffer.concat([head, text]), key)])
}

/** Reads a header and checks its signature. Throws `spool-damaged`. */
export function readHeader(
  bytes: Buffer,
  key: KeyObject,
): { header: SegmentHeader; length: number } {
  const length = bytes.length < 8 ? 0 : bytes.readUInt32BE(4)
  const whole =
    length > 72 && length <= bytes.length && bytes.readUInt32BE(0) === headerMagic
      ? bytes.subarray(0, length)
      : null
  if (!whole || !verify(null, whole.subarray(0, -64), key, whole.subarray(-64))) {
    throw new Fault('spool-damaged', { outward: 'The head of a spool segment is not whole.' })
  }
  const header = JSON.parse(whole.subarray(8, -64).toString()) as SegmentHeader
  if (header.v !== 1) {
    throw new Fault('spool-damaged', { outward: 'The spool was written by a newer Postern.' })
  }
  return { header, length }
}

export function writeBlockHead(
  out: ByteWriter,
  input: { first: number; count: number; leaves: number; sealed: number; previous: Buffer },
): void {
  out.u32(blockMagic)
  out.u32(blockHeadBytes + input.leaves + input.sealed + receiptBytes)
  out.u64(input.first)
  out.u32(input.count)
  out.u32(input.leaves)
  out.u32(input.sealed)
  out.bytes(input.previous)
}

/**
 * The block at `at`, or null when what stands there is not a whole block of this node: torn,
 * overwritten or not signed by the key. Says nothing of whether it continues the one before.
 */
export function readBlock(
  bytes: Buffer,
  at: number,
  signer: { origin: string; node: string; key: KeyObject },
): Block | null {
  if (bytes.length - at < blockHeadBytes + receiptBytes) return null
  if (bytes.readUInt32BE(at) !== blockMagic) return null
  const length = bytes.readUInt32BE(at + 4)
  const first = readU64(bytes, at + 8)
  const count = bytes.readUInt32BE(at + 16)
  const leavesBytes = bytes.readUInt32BE(at + 20)
  const sealedBytes = bytes.readUInt32BE(at + 24)
  if (length !== blockHeadBytes + leavesBytes + sealedBytes + receiptBytes) return null
  if (bytes.length - at < length || count === 0) return null
  const leaves: Buffer[] = []
  const leafHashes: Buffer[] = []
  let offset = at + blockHeadBytes
  const leavesEnd = offset + leavesBytes
  for (let i = 0; i < count; i++) {
    if (offset + 5 > leavesEnd) return null
    const size = bytes.readUInt32BE(offset)
    const end = offset + 5 + size
    if (end > leavesEnd || bytes[offset + 4] !== 0) return null
    // The 0x00 before each entry is RFC 6962's leaf prefix: hashed where it lies, without a copy.
    leafHashes.push(sha256(bytes.subarray(offset + 4, end)))
    leaves.push(bytes.subarray(offset + 5, end))
    offset = end
  }
  if (offset !== leavesEnd) return null
  const sealed = bytes.subarray(leavesEnd, leavesEnd + sealedBytes)
  const previous = bytes.subarray(at + 28, at + 60)
  const tail = leavesEnd + sealedBytes
  const receipt: Receipt = {
    first,
    last: first + count - 1,
    previous,
    head: bytes.subarray(tail, tail + hashBytes),
    sealedDigest: sha256(sealed),
    signature: bytes.subarray(tail + hashBytes, tail + receiptBytes),
  }
  if (!receipt.head.equals(nextHead(previous, leafHashes))) return null
  if (!receiptHolds(signer.origin, signer.node, receipt, signer.key)) return null
  return { receipt, leaves, leafHashes, sealed, length }
}

import { hash } from 'node:crypto'

/** RFC 6962 section 2.1 with SHA-256, one-shot: a stream object per hash costs three times as much. */
export const hashBytes = 32

export function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer')
}

/** MTH({}) of RFC 6962: the hash of nothing. */
export const emptyRoot: Buffer = sha256(new Uint8Array(0))

/**
 * RFC 6962 keeps leaves and nodes apart by a prefix byte, so that an inner node can never be
 * presented as an entry. Both scratch buffers live for one synchronous call only.
 */
export const leafPrefix = 0x00
const nodePrefix = 0x01

let leafScratch = Buffer.alloc(4096)

export function leafHash(entry: Uint8Array): Buffer {
  if (leafScratch.length < entry.length + 1) leafScratch = Buffer.alloc(entry.length * 2 + 1)
  leafScratch[0] = leafPrefix
  leafScratch.set(entry, 1)
  return sha256(leafScratch.subarray(0, entry.length + 1))
}

const nodeScratch = Buffer.alloc(1 + 2 * hashBytes)

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeScratch[0] = nodePrefix
  nodeScratch.set(left, 1)
  nodeScratch.set(right, 1 + hashBytes)
  return sha256(nodeScratch)
}

import { createCipheriv } from 'node:crypto'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { blockHeadBytes, nextHead, receiptBytes, receiptText, writeBlockHead } from './block.ts'
import type { OpenVerdict } from './block.ts'
import { ByteWriter } from './bytes.ts'
import { leafPrefix, sha256 } from './hashing.ts'
import type { Item, LeafWriter } from './leaf.ts'

/** Bytes of leaves and openings above which a batch takes no more. */
const batchBytesMax = 4 * 1024 * 1024

/**
 * The entries that become durable together. Encoded when they are added, so that the work is
 * spread over the requests and a commit is one write, one sync and one signature.
 */
export class Batch {
  readonly leaves = new ByteWriter(64 * 1024)
  readonly openings = new ByteWriter(64 * 1024)
  readonly out = new ByteWriter(128 * 1024)
  hashes: Buffer[] = []
  opened: OpenVerdict[] = []
  /** Items that nobody waits for: kept for another try when the disk is full. */
  later: Item[] = []
  waiting = 0
  first = 0
  count = 0
  durable: Promise<void> = Promise.resolve()
  #settle: (fault: Fault | null) => void = () => undefined

  begin(first: number): void {
    this.leaves.reset()
    this.openings.reset()
    this.out.reset()
    this.hashes = []
    this.opened = []
    this.later = []
    this.waiting = 0
    this.first = first
    this.count = 0
    this.durable = new Promise((resolve, reject) => {
      this.#settle = (fault) => (fault ? reject(fault) : resolve())
    })
    // A batch of outcomes alone has nobody who listens.
    this.durable.catch(() => undefined)
  }

  get bytes(): number {
    return this.leaves.length + this.openings.length + blockHeadBytes + receiptBytes
  }

  full(): boolean {
    return this.count >= limits.groupCommitEntriesMax || this.bytes >= batchBytesMax
  }

  settle(fault: Fault | null): void {
    this.#settle(fault)
  }

  /** Throws `entry-too-large` and leaves the batch as it was. */
  add(item: Item, counter: number, writer: LeafWriter): void {
    const leafAt = this.leaves.length
    const openingAt = this.openings.length
    this.leaves.u32(0)
    this.leaves.u8(leafPrefix)
    writer.write(item, counter, this.first, this.leaves, this.openings)
    const size = this.leaves.length - leafAt - 5
    if (size > limits.entryBytesMax) {
      this.leaves.length = leafAt
      this.openings.length = openingAt
      throw new Fault('entry-too-large', {
        outward: 'The record of this is too large.',
        inward: `A ${item.kind} entry has ${size} bytes; ${limits.entryBytesMax} are allowed.`,
      })
    }
    this.leaves.setU32(leafAt, size)
    this.hashes.push(sha256(this.leaves.view(leafAt + 4, this.leaves.length)))
    this.count++
  }
}

export type AssembleInput = {
  readonly previous: Buffer
  readonly key: Buffer
  readonly iv: Buffer
  readonly origin: string
  readonly node: string
  sign(text: Buffer): Buffer
}

/** The bytes of a group commit, closed by its receipt. The buffer is the batch's own. */
export function assemble(batch: Batch, input: AssembleInput): { block: Buffer; head: Buffer } {
  const { out, leaves, openings } = batch
  const sealed = openings.length === 0 ? 0 : 12 + openings.length + 16
  const { first, count } = batch
  out.reset()
  out.room(blockHeadBytes + leaves.length + sealed + receiptBytes)
  writeBlockHead(out, { first, count, leaves: leaves.length, sealed, previous: input.previous })
  out.bytes(leaves.view(0, leaves.length))
  const sealedAt = out.length
  if (sealed > 0) {
    const cipher = createCipheriv('aes-256-gcm', input.key, input.iv)
    cipher.setAAD(Buffer.from(sealedAbout(input.node, first)))
    out.bytes(input.iv)
    out.bytes(cipher.update(openings.view(0, openings.length)))
    out.bytes(cipher.final())
    out.bytes(cipher.getAuthTag())
  }
  const head = nextHead(input.previous, batch.hashes)
  const signature = input.sign(
    receiptText(input.origin, input.node, {
      first,
      last: first + count - 1,
      previous: input.previous,
      head,
      sealedDigest: sha256(out.view(sealedAt, out.length)),
    }),
  )
  out.bytes(head)
  out.bytes(signature)
  return { block: out.view(0, out.length), head }
}

/** Associated data of a block's sealed openings: they belong to this block and no other. */
export function sealedAbout(node: string, first: number): string {
  return `${node}\n${first}`
}

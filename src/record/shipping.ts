import type { KeyObject } from 'node:crypto'
import { open, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { syncFolder } from '#blob/durable.ts'
import { Fault, isFault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { checkAck } from './ack.ts'
import type { Ack, ShippedBatch } from './batch.ts'
import { blockHeadBytes, readHeader } from './block.ts'
import { readU64 } from './bytes.ts'
import type { VerifierKey } from './note.ts'
import { listSegments, segmentName } from './recover.ts'
import { readShipped, writeShipped } from './shipped.ts'
import type { Shipped } from './shipped.ts'

export type ShipperInput = {
  readonly spoolDir: string
  readonly node: NodeId
  readonly origin: string
  /** The node's public key. */
  readonly nodeKey: KeyObject
  /** Key of the log, pinned at the gate's install. */
  readonly logKey: VerifierKey
  /** How far the spool is on the disk: nothing beyond it leaves the machine. */
  durable(): { readonly segment: number; readonly counter: number }
  /** A segment of so many bytes was deleted. */
  freed?(bytes: number): void
  send(batch: ShippedBatch): Promise<Ack>
  onFault?(fault: Fault): void
  readonly idleMs?: number
}

export type Shipper = {
  start(): void
  /** There is something new: do not wait for the idle time. */
  wake(): void
  /** Ships all that is durable now; throws what `send` throws. */
  drain(onWait?: () => void): Promise<void>
  stop(): Promise<void>
  stats(): { readonly proven: number; readonly behind: number; readonly checkpointSize: number }
}

const batchBytesMax = 4 * 1024 * 1024
const idleMsDefault = 100
// Control is one socket away: trying again costs little, and a long pause only grows the spool.
const backOffMsMax = 2_000

/**
 * Carries a spool to control.
 *
 * A segment is deleted only when this gate has itself verified a checkpoint that includes every
 * leaf of it and grows out of the checkpoint before: control, or who sits between, can make the
 * gate keep too much and never too little.
 */
export function createShipper(input: ShipperInput): Shipper {
  const idleMs = input.idleMs ?? idleMsDefault
  let shipped: Shipped | null = null
  let position: { segment: number; offset: number } | null = null
  let running = false
  let timer: NodeJS.Timeout | undefined
  let step: Promise<boolean> | null = null
  let failures = 0

  /** One batch; false when there is nothing to send. */
  function once(): Promise<boolean> {
    step ??= shipOne().finally(() => (step = null))
    return step
  }

  async function shipOne(): Promise<boolean> {
    shipped ??= await readShipped(input.spoolDir)
    const durable = input.durable().counter
    if (shipped.proven >= durable) {
      await deleteProven(shipped.proven)
      return false
    }
    position ??= await locate(input, shipped.proven + 1)
    const read = await readBlocks(input, position, durable)
    if (read.blocks.length === 0) {
      position = { segment: position.segment + 1, offset: 0 }
      return true
    }
    const batch = {
      node: input.node,
      seenSize: shipped.size,
      header: read.header,
      blocks: read.blocks,
    }
    const ack = await input.send(batch)
    const verified = checkAck(ack, batch, shipped, input.logKey)
    shipped = { v: 1, proven: read.last, ...verified }
    await writeShipped(input.spoolDir, shipped)
    position = { segment: position.segment, offset: read.end }
    await deleteProven(shipped.proven)
    return true
  }

  async function deleteProven(proven: number): Promise<void> {
    const segments = await listSegments(input.spoolDir)
    const { segment: active } = input.durable()
    for (const [at, segment] of segments.entries()) {
      const next = segments[at + 1]
      if (next === undefined || segment >= active) return
      const { header } = await headerOf(input, next)
      if (header.first - 1 > proven) return
      const path = join(input.spoolDir, segmentName(segment))
      const { size } = await stat(path)
      await rm(path)
      if (position?.segment === segment) position = null
      await syncFolder(input.spoolDir)
      input.freed?.(size)
    }
  }

  async function loop(): Promise<void> {
    let waitMs = idleMs
    try {
      while (running && (await once())) failures = 0
    } catch (error) {
      position = null
      const fault = isFault(error)
        ? error
        : new Fault('control-unreachable', { outward: 'Control cannot be reached.', cause: error })
      input.onFault?.(fault)
      failures++
      waitMs = Math.min(backOffMsMax, idleMs * 2 ** Math.min(failures, 10))
    }
    if (running) timer = setTimeout(() => void loop(), waitMs).unref()
  }

  return {
    start() {
      if (running) return
      running = true
      void loop()
    },
    wake() {
      if (!running || step || failures > 0) return
      clearTimeout(timer)
      timer = setTimeout(() => void loop(), 0)
    },
    async drain(onWait) {
      for (;;) {
        const under = once()
        const hurry = onWait ? setInterval(onWait, 5) : undefined
        const more = await under.finally(() => clearInterval(hurry))
        if (!more && (shipped?.proven ?? 0) >= input.durable().counter) return
      }
    },
    async stop() {
      running = false
      clearTimeout(timer)
      await step?.catch(() => undefined)
    },
    stats: () => ({
      proven: shipped?.proven ?? 0,
      behind: input.durable().counter - (shipped?.proven ?? 0),
      checkpointSize: shipped?.size ?? 0,
    }),
  }
}

async function headerOf(input: ShipperInput, segment: number) {
  const file = await open(join(input.spoolDir, segmentName(segment)), 'r')
  try {
    const start = Buffer.alloc(8)
    await file.read(start, 0, 8, 0)
    const bytes = Buffer.alloc(Math.min(start.readUInt32BE(4), headerBytesMax))
    await file.read(bytes, 0, bytes.length, 0)
    return { ...readHeader(bytes, input.nodeKey), bytes }
  } finally {
    await file.close()
  }
}

const headerBytesMax = 16 * 1024 * 1024

/** In which segment, at which byte, the entry with this counter begins a group commit. */
async function locate(input: ShipperInput, counter: number) {
  for (const segment of (await listSegments(input.spoolDir)).reverse()) {
    const { header, length } = await headerOf(input, segment)
    if (header.first > counter) continue
    const file = await open(join(input.spoolDir, segmentName(segment)), 'r')
    try {
      const head = Buffer.alloc(blockHeadBytes)
      for (let offset = length; ; offset += head.readUInt32BE(4)) {
        const { bytesRead } = await file.read(head, 0, blockHeadBytes, offset)
        if (bytesRead < blockHeadBytes || readU64(head, 8) >= counter) return { segment, offset }
      }
    } finally {
      await file.close()
    }
  }
  throw new Fault('spool-damaged', {
    outward: 'The spool no longer has an entry that was never shipped.',
    inward: `Entry ${counter} of ${input.node} is gone from ${input.spoolDir}.`,
  })
}

/** Whole durable group commits from a place on, up to the batch's bound. */
async function readBlocks(
  input: ShipperInput,
  at: { segment: number; offset: number },
  durable: number,
) {
  const { bytes: header, length } = await headerOf(input, at.segment)
  const from = Math.max(at.offset, length)
  const file = await open(join(input.spoolDir, segmentName(at.segment)), 'r')
  try {
    const size = (await file.stat()).size
    let end = from
    let last = 0
    const head = Buffer.alloc(blockHeadBytes)
    while (end + blockHeadBytes <= size) {
      await file.read(head, 0, blockHeadBytes, end)
      const blockLast = readU64(head, 8) + head.readUInt32BE(16) - 1
      const blockEnd = end + head.readUInt32BE(4)
      if (blockLast > durable || (end > from && blockEnd - from > batchBytesMax)) break
      end = blockEnd
      last = blockLast
    }
    const blocks = Buffer.alloc(end - from)
    await file.read(blocks, 0, blocks.length, from)
    return { header, blocks, end, last }
  } finally {
    await file.close()
  }
}

import { sign } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { constants, fdatasync, ftruncate, open as openFile, write as writeFile } from 'node:fs'
import { close as closeFile } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { errorCode, makeFolder, writeDurably } from '#blob/durable.ts'
import type { World } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import { writeHeader } from './block.ts'
import type { OpenVerdict } from './block.ts'
import { Batch, assemble } from './group-commit.ts'
import type { Item, LeafWriter } from './leaf.ts'
import { segmentName } from './recover.ts'
import type { SpoolState } from './recover.ts'
import { newSegmentKey, readerId } from './seal.ts'
import type { SegmentKey } from './seal.ts'

const writeAt = promisify(writeFile)
const datasync = promisify(fdatasync)
const truncateTo = promisify(ftruncate)
const openAt = promisify(openFile)
const closeAt = promisify(closeFile)

export type SpoolInput = {
  readonly world: World
  readonly dir: string
  readonly origin: string
  readonly node: NodeId
  readonly signingKey: KeyObject
  readonly sealTo: KeyObject
  readonly leafWriter: LeafWriter
  readonly bytesMax: number
  readonly segmentBytesMax: number
}

/**
 * The gate's own append-only record: one group commit at a time, one `fdatasync` each, and the
 * event loop is never held while the disk works.
 *
 * Fails closed. A full disk: whoever waits gets `spool-full`, the half-written commit is cut away,
 * its counters are given again (nobody saw them), outcomes stay queued; the next commit tries anew.
 * Any other failure of a write or sync: what is on the disk is not known any more, so the spool
 * stops for good, and start-up reads what is there.
 */
export class Spool {
  readonly #in: SpoolInput
  #file = -1
  #segment: number
  #segmentKey: SegmentKey
  /** Durable: counter, head and size as of the last finished group commit. */
  #last: number
  #head: Buffer
  #size = 0
  #olderBytes: number
  readonly #open: Map<number, OpenVerdict>
  /** Given to entries that are queued or being written. */
  #counter: number
  #queue: Batch[] = []
  #spare: Batch[] = []
  /** `#running`: a run is due or on its way. `#writing`: the first of the queue is on its way. */
  #running = false
  #writing = false
  #later: NodeJS.Timeout | undefined
  #stopped: Fault | undefined
  #idle: (() => void)[] = []
  commits = 0
  entries = 0
  refused = 0
  lastCommitMs = 0

  constructor(input: SpoolInput, state: SpoolState) {
    this.#in = input
    this.#segment = state.segment
    this.#segmentKey = newSegmentKey(input.sealTo)
    this.#last = this.#counter = state.last
    this.#head = state.head
    this.#olderBytes = state.bytes
    this.#open = new Map(state.open.map((verdict) => [verdict.counter, verdict]))
  }

  get last(): number {
    return this.#last
  }
  get segment(): number {
    return this.#segment
  }
  get bytes(): number {
    return this.#olderBytes + this.#size
  }
  get openCount(): number {
    return this.#open.size
  }
  openVerdicts(): OpenVerdict[] {
    return [...this.#open.values()]
  }

  /** The shipper deleted a segment of this many bytes. */
  freed(bytes: number): void {
    this.#olderBytes -= bytes
  }

  /** Begins a fresh segment: the key of the last one went with the process that made it. */
  async begin(): Promise<void> {
    await makeFolder(this.#in.dir)
    await this.#roll()
  }

  /**
   * Queues an entry whose caller waits. `durable` settles with its group commit.
   *
   * `exchange` makes it an open verdict.
   */
  add(item: Item, exchange: string | null): { counter: number; durable: Promise<void> } {
    if (this.#stopped) throw this.#stopped
    const batch = this.#batchToFill()
    const counter = this.#encode(batch, item)
    if (exchange !== null) {
      const { leafWriter } = this.#in
      const subject = item.subject === null ? null : leafWriter.pseudonym(item.subject, item.atMs)
      batch.opened.push({ counter, exchange, subject })
    }
    batch.waiting++
    this.#wake()
    return { counter, durable: batch.durable }
  }

  /** Queues an entry that nobody waits for. It survives a full disk in memory. */
  addLater(item: Item): void {
    if (this.#stopped) return
    const batch = this.#batchToFill(true)
    this.#encode(batch, item)
    batch.later.push(item)
    if (batch.waiting === 0 && !this.#running) this.#wakeLater()
  }

  /** Resolves when nothing is queued any more or the disk refuses it. */
  async settle(): Promise<void> {
    if (this.#queue.length > 0) this.#wake()
    if (!this.#running) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  async close(): Promise<void> {
    await this.settle()
    clearTimeout(this.#later)
    this.#stopped ??= new Fault('spool-full', { outward: 'The record is closed.' })
    if (this.#file >= 0) await closeAt(this.#file)
    this.#file = -1
  }

  #encode(batch: Batch, item: Item): number {
    const counter = this.#counter + 1
    batch.add(item, counter, this.#in.leafWriter)
    this.#counter = counter
    return counter
  }

  #batchToFill(always = false): Batch {
    const last = this.#queue.at(-1)
    const writing = this.#writing && this.#queue.length === 1
    if (last && !writing && !last.full()) return last
    if (!always && this.#queue.length >= batchesQueuedMax) {
      throw new Fault('busy', { outward: 'The record cannot keep up; try again.' })
    }
    const batch = this.#spare.pop() ?? new Batch()
    batch.begin(this.#counter + 1)
    this.#queue.push(batch)
    return batch
  }

  #wake(): void {
    if (this.#running) return
    this.#running = true
    clearTimeout(this.#later)
    this.#later = undefined
    // What else arrives in this turn of the loop shares the commit.
    setImmediate(() => void this.#run())
  }

  #wakeLater(afterMs = outcomeDelayMs): void {
    this.#later ??= setTimeout(() => {
      this.#later = undefined
      if (this.#queue.length > 0) this.#wake()
    }, afterMs)
  }

  async #run(): Promise<void> {
    this.#writing = true
    let retryMs = 0
    for (let batch = this.#queue[0]; batch; batch = this.#queue[0]) {
      const fault = await this.#commit(batch)
      if (fault) {
        this.#writing = false
        this.#giveBack(fault)
        retryMs = fullRetryMs
        break
      }
      this.#queue.shift()
      batch.settle(null)
      if (this.#spare.length < 2) this.#spare.push(batch)
    }
    this.#running = this.#writing = false
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
    if (this.#queue.length > 0 && !this.#stopped) this.#wakeLater(retryMs)
  }

  /** Makes one batch durable, or says why not with the file as it was. */
  async #commit(batch: Batch): Promise<Fault | null> {
    const began = this.#in.world.monotonicMs()
    try {
      // Outcomes may go over the bound by as much as there are open exchanges.
      if (batch.waiting > 0 && this.bytes + batch.bytes > this.#in.bytesMax) throw full()
      if (this.#size >= this.#in.segmentBytesMax) await this.#roll()
      const { block, head } = assemble(batch, {
        previous: this.#head,
        key: this.#segmentKey.key,
        iv: this.#in.world.randomBytes(12),
        origin: this.#in.origin,
        node: this.#in.node,
        sign: (text) => sign(null, text, this.#in.signingKey),
      })
      await this.#writeAll(block)
      await datasync(this.#file)
      this.#size += block.length
      this.#head = head
    } catch (error) {
      return await this.#undo(error)
    }
    this.#last = batch.first + batch.count - 1
    for (const verdict of batch.opened) this.#open.set(verdict.counter, verdict)
    for (const item of batch.later) this.#open.delete(item.of)
    this.commits++
    this.entries += batch.count
    this.lastCommitMs = this.#in.world.monotonicMs() - began
    return null
  }

  async #writeAll(block: Buffer): Promise<void> {
    for (let done = 0; done < block.length;) {
      const { bytesWritten } = await writeAt(
        this.#file,
        block,
        done,
        block.length - done,
        this.#size + done,
      )
      done += bytesWritten
    }
  }

  async #undo(error: unknown): Promise<Fault> {
    const noSpace = errorCode(error) === 'ENOSPC' || errorCode(error) === 'EDQUOT'
    if (noSpace || (error instanceof Fault && error.code === 'spool-full')) {
      try {
        await truncateTo(this.#file, this.#size)
        return error instanceof Fault ? error : full(error)
      } catch (cause) {
        return this.#stop(cause)
      }
    }
    return this.#stop(error)
  }

  #stop(cause: unknown): Fault {
    this.#stopped = new Fault('spool-damaged', {
      outward: 'The record stopped; nothing passes until the gate starts again.',
      inward: `Spool ${this.#in.dir}: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    })
    return this.#stopped
  }

  /** Tells all who wait, takes their counters back, and keeps the outcomes for another try. */
  #giveBack(fault: Fault): void {
    const batches = this.#queue
    this.#queue = []
    this.#counter = this.#last
    for (const batch of batches) {
      this.refused += batch.waiting
      batch.settle(fault)
    }
    if (this.#stopped) return
    for (const batch of batches) {
      for (const item of batch.later) {
        const again = this.#keepFor()
        this.#encode(again, item)
        again.later.push(item)
      }
    }
  }

  #keepFor(): Batch {
    const last = this.#queue.at(-1)
    if (last && !last.full()) return last
    const batch = new Batch()
    batch.begin(this.#counter + 1)
    this.#queue.push(batch)
    return batch
  }

  async #roll(): Promise<void> {
    const key = newSegmentKey(this.#in.sealTo)
    const segment = this.#segment + 1
    const header = writeHeader(
      {
        v: 1,
        origin: this.#in.origin,
        node: this.#in.node,
        segment,
        first: this.#last + 1,
        head: this.#head.toString('base64'),
        open: [...this.#open.values()],
        reader: readerId(this.#in.sealTo),
        ephemeral: key.ephemeral,
      },
      this.#in.signingKey,
    )
    const path = join(this.#in.dir, segmentName(segment))
    await writeDurably(path, header)
    const file = await openAt(path, constants.O_RDWR)
    if (this.#file >= 0) await closeAt(this.#file)
    this.#olderBytes += this.#size
    this.#file = file
    this.#segment = segment
    this.#segmentKey = key
    this.#size = header.length
  }
}

const batchesQueuedMax = 16
/** An outcome waits this long for a verdict to ride with. */
const outcomeDelayMs = 20
/** Outcomes that a full disk refused are tried again this often. */
const fullRetryMs = 500

function full(cause?: unknown): Fault {
  return new Fault('spool-full', {
    outward: 'The record is full, so nothing may pass. It resumes by itself when there is space.',
    inward: `The spool has no space left (at most ${limits.spoolBytesMax} bytes).`,
    cause,
  })
}

import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { writeDurably } from '#blob/durable.ts'
import { openSubjectKeys } from '#blob/subject-keys.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import { Fault, isFault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import type { Ack, ShippedBatch } from './batch.ts'
import { checkBatch } from './intake.ts'
import { openLedger } from './ledger.ts'
import type { Ledger } from './ledger.ts'
import { folderSource } from './log-source.ts'
import { openLogWriter } from './log-writer.ts'
import { parseVerifierKey, verifierKeyText } from './note.ts'
import { openOpeningStore } from './openings.ts'
import type { OpeningStore } from './openings.ts'
import { openRecorder } from './recorder.ts'
import { createShipper } from './shipping.ts'
import type { Witnesses } from './witness-client.ts'

export type SequencerInput = {
  readonly world: World
  /** The log's folder (tlog-tiles). One sequencer per folder. */
  readonly dir: string
  /** Where openings and their keys lie. */
  readonly blobDir: string
  /** Control's own spool. */
  readonly spoolDir: string
  readonly origin: string
  /** Ed25519 private key that signs checkpoints. */
  readonly logKey: KeyObject
  /** X25519 private key: the reader of all openings. */
  readonly controlKey: KeyObject
  /** Control as a node: its own entries go the same way as a gate's. */
  readonly node: { readonly id: NodeId; readonly signingKey: KeyObject }
  readonly pseudonymKey: Buffer
  /** AES-256 key of the blob stores. */
  readonly atRestKey: Buffer
  /** Public key of an enrolled node; null for a stranger. */
  nodes(node: NodeId): KeyObject | null
  readonly witnesses?: Witnesses
  readonly checkpointIntervalMs?: number
  /** Equivocation and every other thing that a person has to look at. */
  onAlarm?(fault: Fault): void
}

export type Sequencer = {
  /** Resolves when the entries are under a signed checkpoint. Sending again is harmless. */
  accept(batch: ShippedBatch): Promise<Ack>
  /** Control's own entry; durable in control's spool when it resolves, in the log soon after. */
  append(draft: EntryDraft): Promise<{ node: NodeId; counter: number }>
  /** Resolves when everything appended so far is under a checkpoint. */
  flush(): Promise<void>
  checkpoint(): string
  size(): number
  /** `<origin>+…`, what a verifier needs to know of this log. */
  readonly verifierKey: string
  readonly openings: OpeningStore
  /** Destroys the keys of a subject's openings; itself an entry. */
  eraseSubject(subject: string, reason: string): Promise<number>
  close(): Promise<void>
}

/**
 * The sole writer of the log.
 *
 * Fails closed: what is not signed by its node, not the next in the node's own order, or not whole
 * is refused. A counter that comes twice with different bytes is equivocation: the node (or who
 * holds its key) tells two histories; it is raised and recorded, and neither is merged.
 */
export async function createSequencer(input: SequencerInput): Promise<Sequencer> {
  const { world, origin, node } = input
  const verifierKey = verifierKeyText(origin, createPublicKey(input.logKey))
  const verifier = parseVerifierKey(verifierKey)
  const writer = await openLogWriter({ dir: input.dir, origin, key: input.logKey, verifier })
  await writeDurably(join(input.dir, 'log.vkey'), `${verifierKey}\n`)
  const keys = openSubjectKeys({ dir: join(input.blobDir, 'keys'), key: input.atRestKey })
  const openings = await openOpeningStore(join(input.blobDir, 'openings'), keys, writer.size)
  const ledger: Ledger = await openLedger({
    dir: input.dir,
    source: folderSource(input.dir),
    writer,
    openings,
    world,
    intervalMs: input.checkpointIntervalMs ?? limits.checkpointIntervalMs,
    ...(input.witnesses ? { witnesses: input.witnesses } : {}),
    onAlarm: (fault) => input.onAlarm?.(fault),
  })
  const nodeKey = createPublicKey(input.node.signingKey)
  const raised = new Set<string>()

  async function accept(batch: ShippedBatch): Promise<Ack> {
    const key = batch.node === node.id ? nodeKey : input.nodes(batch.node)
    if (!key) {
      throw new Fault('batch-refused', {
        outward: 'This node is not enrolled.',
        inward: `A batch of the unknown node ${batch.node} was refused.`,
      })
    }
    try {
      const checked = await checkBatch(batch, origin, key, input.controlKey)
      return await ledger.add(batch.node, key, checked, batch.seenSize)
    } catch (error) {
      if (isFault(error, 'equivocation')) await raise(batch.node, error)
      throw error
    }
  }

  async function raise(who: NodeId, fault: Fault): Promise<void> {
    if (raised.has(fault.inward) || raised.size >= alarmsMax) return
    raised.add(fault.inward)
    input.onAlarm?.(fault)
    if (who === node.id) return
    await recorder.note({
      kind: 'node',
      atMs: world.nowMs(),
      subject: null,
      public: { event: 'equivocation', node: who, said: fault.inward },
      private: {},
    })
  }

  const recorder = await openRecorder({
    world,
    dir: input.spoolDir,
    node: node.id,
    signingKey: node.signingKey,
    sealTo: createPublicKey(input.controlKey),
    pseudonymKey: input.pseudonymKey,
    origin,
  })
  const shipper = createShipper({
    spoolDir: input.spoolDir,
    node: node.id,
    origin,
    nodeKey,
    logKey: verifier,
    durable: () => recorder.durable(),
    freed: (bytes) => recorder.freed(bytes),
    send: accept,
    onFault: (fault) => input.onAlarm?.(fault),
  })
  shipper.start()

  return {
    verifierKey,
    openings,
    accept,
    async append(draft) {
      const placed = await recorder.append(draft)
      shipper.wake()
      return placed
    },
    async flush() {
      await recorder.settle()
      ledger.hurry()
      await shipper.drain(() => ledger.hurry())
      await ledger.flush()
    },
    checkpoint: () => writer.checkpoint,
    size: () => writer.size,
    async eraseSubject(subject, reason) {
      const erased = await keys.erase(subject)
      for (const id of erased) {
        await recorder.note({
          kind: 'key',
          atMs: world.nowMs(),
          subject: null,
          public: { event: 'erased', key: id, reason },
          private: {},
        })
      }
      shipper.wake()
      return erased.length
    },
    async close() {
      await recorder.settle()
      ledger.hurry()
      await shipper
        .drain(() => ledger.hurry())
        .catch((error: unknown) => {
          // What is not in the log yet stays in control's spool and is shipped at the next start.
          if (!isFault(error)) throw error
        })
      await shipper.stop()
      await ledger.close()
      await recorder.close()
    },
  }
}

const alarmsMax = 10_000

import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { canonicalJson } from '#words/canonical.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft, OpenEntry, Outcome, Recorder } from '#words/entry.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { Content } from '#words/content.ts'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { limits } from '#words/limits.ts'
import type { Verdict } from '#words/verdict.ts'
import { describeOutcome, describeVerdict, unknownOutcome } from './describe.ts'
import { createLeafWriter } from './leaf.ts'
import type { Item } from './leaf.ts'
import { recoverSpool } from './recover.ts'
import { readShipped } from './shipped.ts'
import { Spool } from './spool.ts'

export type RecorderInput = {
  readonly world: World
  /** The spool's own folder: one writer, which is the worker thread that opened it. */
  readonly dir: string
  readonly node: NodeId
  /** Ed25519 private key of the node. */
  readonly signingKey: KeyObject
  /** Control's X25519 public key, for which the openings are sealed. */
  readonly sealTo: KeyObject
  readonly pseudonymKey: Buffer
  /** The log's origin; names the jurisdiction. */
  readonly origin: string
  readonly spoolBytesMax?: number
  readonly segmentBytesMax?: number
}

export type RecorderStats = {
  readonly entries: number
  readonly commits: number
  readonly bytes: number
  readonly openEntries: number
  readonly refused: number
  readonly lastCommitMs: number
  /** Bytes of a torn group commit cut away at start-up. */
  readonly cutBytes: number
  /** Verdicts of before a crash that were closed as `unknown`. */
  readonly closedAsUnknown: number
}

export type OpenedRecorder = Recorder & {
  /** Like `note`, and tells the counter. */
  append(draft: EntryDraft): Promise<{ node: NodeId; counter: number }>
  /** What is on the disk: the shipper reads no further. */
  durable(): { segment: number; counter: number }
  freed(bytes: number): void
  /** Resolves when everything queued is on the disk. */
  settle(): Promise<void>
  close(): Promise<void>
  stats(): RecorderStats
}

/**
 * Opens a gate's spool, repairs what a crash left, and closes what was open then as `unknown`.
 *
 * Throws `spool-damaged` when more is wrong than a crash explains, `spool-full` without space.
 */
export async function openRecorder(input: RecorderInput): Promise<OpenedRecorder> {
  const { world, node, origin, dir } = input
  const signer = { origin, node, key: createPublicKey(input.signingKey) }
  const state = await recoverSpool(dir, signer)
  const { proven } = await readShipped(dir)
  // A spool put back from a copy would give counters again that the log already has.
  if (proven > state.last) {
    throw new Fault('spool-damaged', {
      outward: 'The spool is older than what the log has of it.',
      inward: `The log has entries of ${node} up to ${proven}; the spool ends at ${state.last}.`,
    })
  }
  const leafWriter = createLeafWriter(world, node, input.pseudonymKey)
  const spool = new Spool(
    {
      ...input,
      leafWriter,
      bytesMax: input.spoolBytesMax ?? limits.spoolBytesMax,
      segmentBytesMax: input.segmentBytesMax ?? limits.spoolSegmentBytesMax,
    },
    state,
  )
  await spool.begin()

  // The outcomes and the start stand in one group commit: after a `start`, nothing older is open.
  for (const { counter, exchange, subject } of state.open) {
    const who = subject === null ? { subject } : { subject: null, pseudonym: subject }
    spool.addLater(describeOutcome(counter, exchange, who, unknownOutcome, world.nowMs()))
  }
  await spool.add(startItem(world.nowMs(), state), null).durable

  async function open(
    exchange: Exchange,
    caller: Caller,
    content: Content,
    verdict: Verdict,
    decisionInput = '',
  ): Promise<OpenEntry> {
    const item = describeVerdict(exchange, caller, content, verdict, decisionInput)
    const { counter, durable } = spool.add(item, exchange.id)
    await durable
    let closed = false
    const close = (outcome: Outcome): void => {
      if (closed) return
      closed = true
      const who = { subject: caller.user }
      spool.addLater(describeOutcome(counter, exchange.id, who, outcome, world.nowMs()))
    }
    return {
      node,
      counter,
      close,
      [Symbol.asyncDispose]: async () => close(unknownOutcome),
    }
  }

  async function append(draft: EntryDraft): Promise<{ node: NodeId; counter: number }> {
    const { counter, durable } = spool.add(toItem(draft), null)
    await durable
    return { node, counter }
  }

  return {
    open,
    append,
    note: async (draft) => void (await append(draft)),
    durable: () => ({ segment: spool.segment, counter: spool.last }),
    freed: (bytes) => spool.freed(bytes),
    settle: () => spool.settle(),
    close: () => spool.close(),
    stats: () => ({
      entries: spool.entries,
      commits: spool.commits,
      bytes: spool.bytes,
      openEntries: spool.openCount,
      refused: spool.refused,
      lastCommitMs: spool.lastCommitMs,
      cutBytes: state.cut,
      closedAsUnknown: state.open.length,
    }),
  }
}

function toItem(draft: EntryDraft): Item {
  return {
    kind: draft.kind,
    atMs: draft.atMs,
    subject: draft.subject,
    of: 0,
    publicText: canonicalJson(draft.public),
    sealed: Object.entries(draft.private).sort(([a], [b]) => (a < b ? -1 : 1)),
  }
}

function startItem(atMs: number, state: { cut: number; open: readonly unknown[] }): Item {
  return {
    kind: 'node',
    atMs,
    subject: null,
    of: 0,
    publicText: canonicalJson({
      event: 'start',
      closedAsUnknown: state.open.length,
      cutBytes: state.cut,
    }),
    sealed: [],
  }
}

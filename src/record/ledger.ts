import type { KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { writeManyDurably } from '#blob/durable.ts'
import type { World } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import type { Ack, Run } from './batch.ts'
import type { CheckedBlock } from './intake.ts'
import type { LogSource } from './log-source.ts'
import type { LogWriter } from './log-writer.ts'
import { parseCheckpoint } from './checkpoint.ts'
import { openNodeReceipts, readNodeKeys, writeNodeKeys } from './node-receipts.ts'
import type { KeptReceipt, NodeReceipts } from './node-receipts.ts'
import { rawEd25519 } from './note.ts'
import type { OpeningStore } from './openings.ts'
import { tileNodes } from './tiles.ts'
import { proveConsistency, proveRange } from './tree.ts'
import type { Witnesses } from './witness-client.ts'

/** Bytes of entries that wait for a checkpoint; above it a batch waits for the next. */
const pendingBytesMax = 64 * 1024 * 1024

export type LedgerInput = {
  readonly dir: string
  readonly source: LogSource
  readonly writer: LogWriter
  readonly openings: OpeningStore
  readonly world: World
  readonly intervalMs: number
  readonly witnesses?: Witnesses
  onAlarm(fault: Fault): void
}

export type Ledger = {
  add(node: NodeId, key: KeyObject, blocks: readonly CheckedBlock[], seenSize: number): Promise<Ack>
  /** Does not wait for the rest of the interval once. */
  hurry(): void
  /** Resolves when nothing waits for a checkpoint. */
  flush(): Promise<void>
  close(): Promise<void>
}

type Waiting = { node: NodeId; block: CheckedBlock; index: number }
type NodeState = {
  readonly receipts: NodeReceipts
  last: number
  head: Buffer
  pending: KeptReceipt[]
  turn: Promise<void>
}

/** Puts checked group commits in order and under one checkpoint per interval. */
export async function openLedger(input: LedgerInput): Promise<Ledger> {
  const { writer, source, world } = input
  const states = new Map<string, NodeState>()
  const nodeKeys = new Map(await readNodeKeys(source))
  let waiting: Waiting[] = []
  let waitingBytes = 0
  let waitingEntries = 0
  let writtenAtMs = -Infinity
  let timer: NodeJS.Timeout | undefined
  let round = Promise.withResolvers<void>()
  round.promise.catch(() => undefined)
  let writing: Promise<void> | null = null

  async function stateOf(node: NodeId, key: KeyObject): Promise<NodeState> {
    const known = nodeKeys.get(node)
    if (known && !rawEd25519(known).equals(rawEd25519(key))) {
      throw new Fault('batch-refused', {
        outward: 'The node has another key than before; a new key needs a new node id.',
      })
    }
    if (!known) {
      nodeKeys.set(node, key)
      await writeNodeKeys(input.dir, nodeKeys)
    }
    const there = states.get(node)
    if (there) return there
    const receipts = await openNodeReceipts(input.dir, node, writer.size)
    const state: NodeState = {
      receipts,
      last: receipts.last(),
      head: receipts.head(),
      pending: [],
      turn: Promise.resolve(),
    }
    const raced = states.get(node)
    if (raced) return raced
    states.set(node, state)
    return state
  }

  /** The receipt of a group commit that is here already, or a fault when it is another history. */
  async function known(state: NodeState, block: CheckedBlock, node: NodeId): Promise<KeptReceipt> {
    const { first, last, head } = block.block.receipt
    const kept =
      state.pending.find((receipt) => receipt.first === first) ?? (await state.receipts.find(first))
    if (kept && kept.last === last && kept.head.equals(head)) return kept
    throw equivocation(node, first, last)
  }

  function take(node: NodeId, state: NodeState, checked: CheckedBlock): KeptReceipt {
    const { receipt, leaves, length } = checked.block
    if (!receipt.previous.equals(state.head)) throw equivocation(node, receipt.first, receipt.last)
    const index = writer.size + waitingEntries
    const kept: KeptReceipt = { ...receipt, index }
    state.pending.push(kept)
    state.last = receipt.last
    state.head = receipt.head
    waiting.push({ node, block: checked, index })
    waitingEntries += leaves.length
    waitingBytes += length
    return kept
  }

  async function add(
    node: NodeId,
    key: KeyObject,
    blocks: readonly CheckedBlock[],
    seenSize: number,
  ): Promise<Ack> {
    const state = await stateOf(node, key)
    const runs: { first: number; count: number; index: number }[] = []
    const note = ({ first, last, index }: KeptReceipt): void => {
      const run = runs.at(-1)
      if (run && run.index + run.count === index) run.count += last - first + 1
      else runs.push({ first, count: last - first + 1, index })
    }
    // One batch of a node at a time: its order is what makes a gap or a second history visible.
    const turn = state.turn
    const mine = Promise.withResolvers<void>()
    state.turn = mine.promise
    let covered: Promise<void> | null
    try {
      await turn
      const old = blocks.filter(({ block }) => block.receipt.first <= state.last)
      for (const checked of old) note(await known(state, checked, node))
      while (writing || waitingBytes > pendingBytesMax) await (writing ?? round.promise)
      // From here to the end of the loop nothing waits: the batch stands in the log in one run.
      for (const checked of blocks.slice(old.length)) {
        const { first } = checked.block.receipt
        if (first !== state.last + 1) throw gap(node, state.last, first)
        note(take(node, state, checked))
      }
      covered = state.pending.length > 0 ? round.promise : null
      schedule()
    } finally {
      mine.resolve()
    }
    await covered
    return await acknowledge(node, state, runs, seenSize)
  }

  async function acknowledge(
    node: NodeId,
    state: NodeState,
    runs: readonly { first: number; count: number; index: number }[],
    seenSize: number,
  ): Promise<Ack> {
    const { checkpoint } = writer
    const { size } = parseCheckpoint(checkpoint)
    const nodes = tileNodes(source, size)
    const proved: Run[] = []
    for (const run of runs) {
      const proof = await proveRange(nodes, run.index, run.index + run.count, size)
      proved.push({ ...run, proof: proof.map((hash) => hash.toString('base64')) })
    }
    const seen = Math.min(seenSize, size)
    const consistency = await proveConsistency(nodes, seen, size)
    return {
      v: 1,
      node,
      last: state.receipts.last(),
      checkpoint,
      runs: proved,
      consistency: consistency.map((hash) => hash.toString('base64')),
    }
  }

  function schedule(afterMs?: number): void {
    if (timer || writing || waiting.length === 0) return
    const due = writtenAtMs + input.intervalMs - world.monotonicMs()
    timer = setTimeout(() => void write(), Math.max(0, afterMs ?? due))
  }

  async function write(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (writing || waiting.length === 0) return
    const told = round
    round = Promise.withResolvers<void>()
    round.promise.catch(() => undefined)
    writing = writeRound().then(
      () => told.resolve(),
      (error: unknown) => told.reject(error),
    )
    await writing
    writing = null
    if (waiting.length > 0) schedule()
  }

  async function writeRound(): Promise<void> {
    const batch = waiting
    try {
      await input.openings.append(batch.flatMap(placedOpenings))
      const plans = [...states.values()].map((state) => state.receipts.plan(state.pending))
      const files = plans.flatMap((plan) => plan.files)
      await writeManyDurably(files.map(([path, bytes]) => [join(input.dir, path), bytes]))
      const blocks = batch.map(({ block }) => block.block)
      await writer.append(
        blocks.flatMap((block) => block.leaves),
        blocks.flatMap((block) => block.leafHashes),
      )
      for (const plan of plans) plan.commit()
      for (const state of states.values()) state.pending = []
    } catch (cause) {
      // Nothing of it is under a checkpoint: the nodes send it again.
      for (const state of states.values()) {
        state.pending = []
        state.last = state.receipts.last()
        state.head = state.receipts.head()
      }
      const fault = new Fault('log-unreachable', { outward: 'The log cannot be written.', cause })
      input.onAlarm(fault)
      throw fault
    } finally {
      waiting = []
      waitingBytes = waitingEntries = 0
      writtenAtMs = world.monotonicMs()
    }
    await askWitnesses()
  }

  async function askWitnesses(): Promise<void> {
    if (!input.witnesses) return
    const { checkpoint } = writer
    const lines = await input.witnesses.cosign(checkpoint, source)
    await writer.addSignatures(checkpoint, lines)
  }

  async function flush(): Promise<void> {
    while (writing || waiting.length > 0) await (writing ?? write())
  }

  return {
    add,
    flush,
    hurry() {
      if (waiting.length === 0 || writing) return
      clearTimeout(timer)
      timer = undefined
      schedule(0)
    },
    async close() {
      await flush()
      clearTimeout(timer)
    },
  }
}

function placedOpenings({ block, index }: Waiting) {
  const { first } = block.block.receipt
  return block.openings.map((opening) => ({
    index: index + opening.counter - first,
    atMs: block.atMs[opening.counter - first] ?? 0,
    pseudonym: block.pseudonyms[opening.counter - first] ?? null,
    opening,
  }))
}

function equivocation(node: string, first: number, last: number): Fault {
  return new Fault('equivocation', {
    outward: 'The node signed two different histories.',
    inward: `Node ${node} signed entries ${first} to ${last} a second time with other bytes.`,
  })
}

function gap(node: string, last: number, first: number): Fault {
  return new Fault('batch-refused', {
    outward: 'Entries are missing before this batch.',
    inward: `Node ${node} sent entry ${first}, but the log has its entries up to ${last} only.`,
  })
}

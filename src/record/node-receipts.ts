import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyObject } from 'node:crypto'
import { canonicalJson } from '#words/canonical.ts'
import { writeDurably } from '#blob/durable.ts'
import { Fault } from '#words/faults.ts'
import { noHead } from './block.ts'
import type { Receipt } from './block.ts'
import { readU64 } from './bytes.ts'
import { sha256 } from './hashing.ts'
import { folderSource } from './log-source.ts'
import type { LogSource } from './log-source.ts'
import { ed25519FromRaw, rawEd25519 } from './note.ts'
import { tileNumber } from './tiles.ts'

/**
 * Receipts beside the log: `receipts/<node>/<N>`, 256 to a file, 152 bytes each (first counter,
 * last counter, log index of the first, head, digest of the sealed openings, signature), and
 * `receipts/nodes.json` with each node's public key. With them anybody can check that every leaf
 * of a gate was signed by that gate, and control could not have put one in.
 */
export type KeptReceipt = Receipt & { readonly index: number }

const recordBytes = 8 * 3 + 32 * 2 + 64
const recordsPerFile = 256

/** A folder name from a node id, readable and without two ids sharing one. */
export function nodeFolder(node: string): string {
  const tag = sha256(Buffer.from(node)).toString('hex').slice(0, 12)
  return `${node.replace(/[^a-zA-Z0-9-]/g, '_').slice(0, 60)}-${tag}`
}

function receiptPath(node: string, file: number): string {
  return `receipts/${nodeFolder(node)}/${tileNumber(file)}`
}

export function encodeReceipt(receipt: KeptReceipt): Buffer {
  const out = Buffer.alloc(recordBytes)
  out.writeBigUInt64BE(BigInt(receipt.first), 0)
  out.writeBigUInt64BE(BigInt(receipt.last), 8)
  out.writeBigUInt64BE(BigInt(receipt.index), 16)
  out.set(receipt.head, 24)
  out.set(receipt.sealedDigest, 56)
  out.set(receipt.signature, 88)
  return out
}

function decodeReceipts(bytes: Buffer, previous: Buffer): KeptReceipt[] {
  const found: KeptReceipt[] = []
  for (let at = 0; at + recordBytes <= bytes.length; at += recordBytes) {
    found.push({
      first: readU64(bytes, at),
      last: readU64(bytes, at + 8),
      index: readU64(bytes, at + 16),
      previous: found.at(-1)?.head ?? previous,
      head: bytes.subarray(at + 24, at + 56),
      sealedDigest: bytes.subarray(at + 56, at + 88),
      signature: bytes.subarray(at + 88, at + 152),
    })
  }
  return found
}

/** All receipts of a node in turn, one file at a time in memory. */
export async function* receiptsOf(source: LogSource, node: string): AsyncGenerator<KeptReceipt> {
  let previous = noHead
  for (let file = 0; ; file++) {
    const bytes = await source.read(receiptPath(node, file))
    if (!bytes) return
    const receipts = decodeReceipts(bytes, previous)
    previous = receipts.at(-1)?.head ?? previous
    yield* receipts
    if (receipts.length < recordsPerFile) return
  }
}

/** What the sequencer keeps of one node: the last file in memory, the others on disk. */
export type NodeReceipts = {
  readonly node: string
  /** Highest counter in the log, and the head there. */
  last(): number
  head(): Buffer
  /** The receipt whose first counter is this one. */
  find(first: number): Promise<KeptReceipt | null>
  /** What has to be on disk before a checkpoint covers `more`; `commit` once it does. */
  plan(more: readonly KeptReceipt[]): {
    readonly files: readonly (readonly [path: string, bytes: Buffer])[]
    commit(): void
  }
}

/**
 * Receipts of entries that no checkpoint covers were left by a crash: they are passed over here
 * and overwritten later.
 */
export async function openNodeReceipts(
  dir: string,
  node: string,
  logSize: number,
): Promise<NodeReceipts> {
  const source = folderSource(dir)
  let file = Math.max(0, (await countFiles(source, node)) - 1)
  let tail = await readFile(source, node, file, logSize)
  while (tail.length === 0 && file > 0) tail = await readFile(source, node, --file, logSize)
  if (tail.length === recordsPerFile) {
    file++
    tail = tail.slice(-1)
  }
  // The receipt before the unfinished file is kept for its head and counter.
  const before = file > 0 ? (await readFile(source, node, file - 1, logSize)).at(-1) : undefined
  if (before && tail[0]?.first === before.first) tail = []
  for (let stale = file + 1; await source.read(receiptPath(node, stale)); stale++) {
    await rm(join(dir, receiptPath(node, stale)))
  }
  const state = { file, tail, last: tail.at(-1) ?? before }

  return {
    node,
    last: () => state.last?.last ?? 0,
    head: () => state.last?.head ?? noHead,
    async find(first) {
      const inTail = state.tail.find((receipt) => receipt.first === first)
      if (inTail) return inTail
      let low = 0
      let high = state.file - 1
      while (low <= high) {
        const middle = Math.floor((low + high) / 2)
        const receipts = await readFile(source, node, middle, logSize, Infinity)
        const found = receipts.find((receipt) => receipt.first === first)
        if (found) return found
        if ((receipts[0]?.first ?? 0) > first) high = middle - 1
        else low = middle + 1
      }
      return null
    },
    plan(more) {
      let next = { file: state.file, tail: state.tail }
      const files: [path: string, bytes: Buffer][] = []
      const write = () =>
        files.push([receiptPath(node, next.file), Buffer.concat(next.tail.map(encodeReceipt))])
      for (const receipt of more) {
        next = { file: next.file, tail: [...next.tail, receipt] }
        if (next.tail.length < recordsPerFile) continue
        write()
        next = { file: next.file + 1, tail: [] }
      }
      if (next.tail.length > 0) write()
      return {
        files,
        commit: () => Object.assign(state, next, { last: more.at(-1) ?? state.last }),
      }
    },
  }
}

async function readFile(
  source: LogSource,
  node: string,
  file: number,
  logSize: number,
  sizeMax = logSize,
): Promise<KeptReceipt[]> {
  const bytes = await source.read(receiptPath(node, file))
  if (!bytes) return []
  return decodeReceipts(bytes, noHead).filter(({ index }) => index < sizeMax)
}

/** Files are numbered without gaps, so the end is found by doubling and halving. */
async function countFiles(source: LogSource, node: string): Promise<number> {
  const there = async (file: number) => (await source.read(receiptPath(node, file))) !== null
  if (!(await there(0))) return 0
  let low = 0
  let high = 1
  while (await there(high)) {
    low = high
    high *= 2
  }
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2)
    if (await there(middle)) low = middle
    else high = middle
  }
  return high
}

export type NodeKeys = Readonly<Record<string, string>>

export async function readNodeKeys(source: LogSource): Promise<ReadonlyMap<string, KeyObject>> {
  const bytes = await source.read('receipts/nodes.json')
  if (!bytes) return new Map()
  try {
    const { nodes } = JSON.parse(bytes.toString()) as { nodes: NodeKeys }
    return new Map(
      Object.entries(nodes).map(([node, raw]) => [
        node,
        ed25519FromRaw(Buffer.from(raw, 'base64')),
      ]),
    )
  } catch (cause) {
    throw new Fault('log-invalid', { outward: 'receipts/nodes.json cannot be read.', cause })
  }
}

export async function writeNodeKeys(
  dir: string,
  keys: ReadonlyMap<string, KeyObject>,
): Promise<void> {
  const nodes = Object.fromEntries(
    [...keys].map(([node, key]) => [node, rawEd25519(key).toString('base64')]),
  )
  await writeDurably(join(dir, 'receipts', 'nodes.json'), canonicalJson({ v: 1, nodes }))
}

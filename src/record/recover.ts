import { open, readFile, readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyObject } from 'node:crypto'
import { isMissing, syncFolder } from '#blob/durable.ts'
import { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import { noHead, readBlock, readHeader } from './block.ts'
import type { OpenVerdict, SegmentHeader } from './block.ts'
import { readHead } from './leaf-head.ts'

/** Where a spool stands after start-up. */
export type SpoolState = {
  /** Number of the newest segment; 0 when there is none. */
  readonly segment: number
  /** Counter of the last durable entry; 0 when there is none. */
  readonly last: number
  readonly head: Buffer
  readonly open: readonly OpenVerdict[]
  readonly bytes: number
  /** Bytes of a torn last group commit that were cut away. */
  readonly cut: number
}

export type Signer = { readonly origin: string; readonly node: NodeId; readonly key: KeyObject }

export function segmentName(segment: number): string {
  return `segment-${String(segment).padStart(10, '0')}.spool`
}

export async function listSegments(dir: string): Promise<number[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (isMissing(error)) return []
    throw error
  })
  return names
    .flatMap((name) => /^segment-(\d{10})\.spool$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b)
}

/**
 * Repairs a spool at start-up.
 *
 * A crash can tear only the last group commit, which nobody was told of: it is cut away. Anything
 * else (a broken block with a whole one behind it, a missing segment, a foreign signature) is not
 * the work of a crash: throws `spool-damaged`, and the gate lets nothing pass.
 */
export async function recoverSpool(dir: string, signer: Signer): Promise<SpoolState> {
  const segments = await listSegments(dir)
  const newest = segments.at(-1)
  if (newest === undefined) {
    return { segment: 0, last: 0, head: noHead, open: [], bytes: 0, cut: 0 }
  }
  segments.forEach((segment, at) => {
    if (segment !== (segments[0] ?? 0) + at) throw damaged(dir, `segment ${segment - 1} is gone`)
  })
  let bytes = 0
  for (const segment of segments.slice(0, -1))
    bytes += await sizeOf(join(dir, segmentName(segment)))
  const path = join(dir, segmentName(newest))
  const content = await readFile(path)
  const { header, length } = readHeader(content, signer.key)
  if (header.origin !== signer.origin || header.node !== signer.node) {
    throw damaged(dir, `it belongs to ${header.node} of ${header.origin}`)
  }
  const state = scan(content, length, header, signer)
  if (state.end < content.length) {
    if (wholeBlockBehind(content, state.end, signer)) {
      throw damaged(dir, `${segmentName(newest)} is broken at byte ${state.end}`)
    }
    await truncate(path, state.end)
    const file = await open(path, 'r+')
    await file.sync()
    await file.close()
    await syncFolder(dir)
  }
  return {
    segment: newest,
    last: state.last,
    head: state.head,
    open: [...state.open.values()],
    bytes: bytes + state.end,
    cut: content.length - state.end,
  }
}

function scan(content: Buffer, from: number, header: SegmentHeader, signer: Signer) {
  const open = new Map(header.open.map((verdict) => [verdict.counter, verdict]))
  let head: Buffer = Buffer.from(header.head, 'base64')
  let last = header.first - 1
  let end = from
  for (;;) {
    const block = readBlock(content, end, signer)
    if (!block) return { open, head, last, end }
    if (block.receipt.first !== last + 1 || !block.receipt.previous.equals(head)) {
      throw damaged(header.node, `entry ${last + 1} is not the one that follows`)
    }
    block.leaves.forEach((leaf, at) => noteOpen(open, leaf, block.receipt.first + at))
    head = Buffer.from(block.receipt.head)
    last = block.receipt.last
    end += block.length
  }
}

function noteOpen(open: Map<number, OpenVerdict>, leaf: Buffer, counter: number): void {
  const told = readHead(leaf)
  if (told?.kind === 'outcome') open.delete(told.of)
  if (told?.kind !== 'verdict') return
  const full = JSON.parse(leaf.toString()) as {
    public: { exchange?: string }
    subject: string | null
  }
  open.set(counter, { counter, exchange: full.public.exchange ?? '', subject: full.subject })
}

/** A torn write has nothing whole behind it, since one group commit is on its way at a time. */
function wholeBlockBehind(content: Buffer, from: number, signer: Signer): boolean {
  for (let at = content.indexOf('PSB1', from + 1); at >= 0; at = content.indexOf('PSB1', at + 1)) {
    if (readBlock(content, at, signer)) return true
  }
  return false
}

async function sizeOf(path: string): Promise<number> {
  const file = await open(path, 'r')
  try {
    return (await file.stat()).size
  } finally {
    await file.close()
  }
}

function damaged(dir: string, what: string): Fault {
  return new Fault('spool-damaged', {
    outward: 'The spool is damaged.',
    inward: `The spool ${dir} is damaged: ${what}.`,
  })
}

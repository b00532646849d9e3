import type { KeyObject } from 'node:crypto'
import { isFault } from '#words/faults.ts'
import { openCheckpoint } from './checkpoint.ts'
import { emptyRoot, leafHash, nodeHash } from './hashing.ts'
import { readHead } from './leaf-head.ts'
import { logSource } from './log-source.ts'
import type { LogSource } from './log-source.ts'
import { readNodeKeys } from './node-receipts.ts'
import type { VerifierKey } from './note.ts'
import { createOrder } from './order.ts'
import { createReceiptCheck } from './receipt-check.ts'
import { foldPerfect, readBundle, readTile, tileNodes, tileWidth } from './tiles.ts'
import { consistencyHolds, proveConsistency } from './tree.ts'

export type VerifyOptions = {
  /** Key of the log. Whoever takes it from the log itself trusts the log's operator with it. */
  readonly logKey: VerifierKey
  readonly witnessKeys?: readonly VerifierKey[]
  /** A checkpoint that was kept from before: the log must have grown out of it. */
  readonly since?: string
  /** Check that every leaf is covered by a receipt of its node. */
  readonly receipts?: boolean
  /** Keys of nodes; by default those that the log's folder names. */
  readonly nodeKeys?: ReadonlyMap<string, KeyObject>
  readonly headers?: Readonly<Record<string, string>>
}

export type VerifyReport = {
  readonly holds: boolean
  readonly origin: string
  readonly entries: number
  readonly root: string
  readonly nodes: number
  readonly verdicts: number
  /** Verdicts whose outcome is not in the log yet. */
  readonly open: number
  readonly unknownOutcomes: number
  readonly erasedKeys: number
  readonly receipts: number | null
  readonly since: number | null
  readonly witnesses: readonly string[]
  /** What is wrong, one sentence each; at most `problemsMax`. */
  readonly problems: readonly string[]
  /** What a reader has to know though nothing is wrong. */
  readonly notes: readonly string[]
}

export const problemsMax = 100

/**
 * Reads a log from its folder or its address alone and checks all that can be checked.
 *
 * A log that is wrong is a report with `holds: false`, not a throw; throws `log-unreachable` when
 * it cannot be read. Memory does not grow with the log: one bundle and one tile of each level.
 */
export async function verifyLog(place: string, options: VerifyOptions): Promise<VerifyReport> {
  const problems: string[] = []
  const problem = (text: string): void => {
    if (problems.length < problemsMax) problems.push(text)
  }
  const source = logSource(place, options.headers)
  const order = createOrder(problem)
  const told = { origin: options.logKey.name, size: 0, root: emptyRoot, witnesses: [] as string[] }
  let receipts: number | null = null
  let since: number | null = null
  try {
    const bytes = await source.read('checkpoint')
    if (!bytes) throw new Error('there is no checkpoint')
    const head = openCheckpoint(bytes.toString(), options.logKey, options.witnessKeys ?? [])
    told.size = head.size
    told.root = head.root
    told.witnesses = head.witnesses.map(({ key }) => key.name)
    const nodeKeys = options.nodeKeys ?? (await readNodeKeys(source))
    const check = options.receipts
      ? createReceiptCheck({ source, origin: head.origin, nodeKeys, problem })
      : null
    // Without receipts nothing waits here: a turn of the loop for each of a million leaves adds up.
    const root = await walk(source, head.size, problem, (leaf, hash, index) => {
      const said = readHead(leaf)
      if (!said) return problem(`Entry ${index} is not in the form of this log.`)
      order.take(said, leaf, index)
      return check?.take(said, hash, index)
    })
    if (!root.equals(head.root)) problem('The entries do not lead to the signed root.')
    receipts = check ? await check.end() : null
    if (options.since !== undefined) {
      since = await checkSince(source, options.since, options.logKey, head, problem)
    }
  } catch (error) {
    if (isFault(error, 'log-unreachable')) throw error
    problem(error instanceof Error ? error.message : String(error))
  }
  const counts = order.end()
  return {
    holds: problems.length === 0,
    origin: told.origin,
    entries: told.size,
    root: told.root.toString('base64'),
    ...counts,
    receipts,
    since,
    witnesses: told.witnesses,
    problems,
    notes: notesOn(counts, told.witnesses),
  }
}

function notesOn(
  counts: { open: number; erasedKeys: number; unknownOutcomes: number },
  witnesses: readonly string[],
): string[] {
  const notes = [
    witnesses.length === 0
      ? 'No witness stands behind this head: the operator could show two histories.'
      : `Behind this head: ${witnesses.join(', ')}.`,
  ]
  if (counts.open > 0) notes.push(`${counts.open} verdicts have no outcome yet.`)
  if (counts.unknownOutcomes > 0) {
    notes.push(`${counts.unknownOutcomes} exchanges ended in a crash: outcome unknown.`)
  }
  if (counts.erasedKeys > 0) notes.push(`${counts.erasedKeys} keys of openings: erased.`)
  return notes
}

type Take = (leaf: Buffer, hash: Buffer, index: number) => Promise<void> | void

/** Every entry in turn, every tile against what is below it. Returns the root that they give. */
async function walk(
  source: LogSource,
  size: number,
  problem: (text: string) => void,
  take: Take,
): Promise<Buffer> {
  const levels: Buffer[][] = []
  const settle = async (level: number, index: number): Promise<void> => {
    const hashes = levels[level] ?? []
    const tile = await readTile(source, level, index, hashes.length)
    if (!tile.equals(Buffer.concat(hashes))) {
      problem(`Tile ${index} of level ${level} does not fit what is below it.`)
    }
  }
  const push = async (level: number, hash: Buffer, end: number): Promise<void> => {
    const hashes = (levels[level] ??= [])
    hashes.push(hash)
    if (hashes.length < tileWidth) return
    await settle(level, end / tileWidth ** (level + 1) - 1)
    levels[level] = []
    await push(level + 1, foldPerfect(hashes), end)
  }
  const bundles = Math.ceil(size / tileWidth)
  const widthOf = (at: number): number => Math.min(tileWidth, size - at * tileWidth)
  // The next bundle is on its way while this one is hashed.
  let next = bundles > 0 ? readTile(source, 'entries', 0, widthOf(0)) : null
  for (let at = 0; at < bundles; at++) {
    const width = widthOf(at)
    const bundle = await (next as Promise<Buffer>)
    next = at + 1 < bundles ? readTile(source, 'entries', at + 1, widthOf(at + 1)) : null
    next?.catch(() => undefined)
    const level0 = (levels[0] ??= [])
    let index = at * tileWidth
    for (const leaf of readBundle(bundle, width)) {
      const hash = leafHash(leaf)
      const waits = take(leaf, hash, index++)
      if (waits) await waits
      level0.push(hash)
    }
    if (level0.length === tileWidth) {
      await settle(0, at)
      levels[0] = []
      await push(1, foldPerfect(level0), index)
    }
  }
  let root: Buffer | null = null
  for (const [level, hashes] of levels.entries()) {
    if (hashes.length > 0) await settle(level, Math.floor(size / tileWidth ** (level + 1)))
    let end = hashes.length
    for (let width = 1; end > 0; width *= 2) {
      if ((end & width) === 0) continue
      const subtree = foldPerfect(hashes.slice(end - width, end))
      root = root ? nodeHash(subtree, root) : subtree
      end -= width
    }
  }
  return root ?? emptyRoot
}

async function checkSince(
  source: LogSource,
  since: string,
  logKey: VerifierKey,
  head: { size: number; root: Buffer },
  problem: (text: string) => void,
): Promise<number> {
  const before = openCheckpoint(since, logKey)
  if (before.size > head.size) {
    problem(`The log has ${head.size} entries, and had ${before.size} before: it was cut.`)
    return before.size
  }
  const proof = await proveConsistency(tileNodes(source, head.size), before.size, head.size)
  if (!consistencyHolds(before.size, before.root, head.size, head.root, proof)) {
    problem(`The log did not grow out of the checkpoint of ${before.size} entries: it was changed.`)
  }
  return before.size
}

import { Fault } from '#words/faults.ts'
import { openCheckpoint } from './checkpoint.ts'
import { leafHash } from './hashing.ts'
import type { LogSource } from './log-source.ts'
import type { Signed, VerifierKey } from './note.ts'
import { tileNodes } from './tiles.ts'
import { inclusionHolds, proveInclusion } from './tree.ts'

/** `.tlog-proof` files (C2SP tlog-proof): one entry's inclusion, to be checked without the log. */
const firstLine = 'c2sp.org/tlog-proof@v1'
const hashesMax = 63

/** `extra` carries the entry itself. A verifier believes it because its hash is in the tree. */
export async function makeProofFile(input: {
  readonly source: LogSource
  readonly checkpoint: string
  readonly size: number
  readonly index: number
  readonly entry: Buffer
}): Promise<string> {
  const { source, checkpoint, size, index, entry } = input
  const proof = await proveInclusion(tileNodes(source, size), index, size)
  const hashes = proof.map((hash) => `${hash.toString('base64')}\n`).join('')
  return `${firstLine}\nextra ${entry.toString('base64')}\nindex ${index}\n${hashes}\n${checkpoint}`
}

/**
 * Checks a proof against the keys at hand. The entry is the one in `extra` unless it is given.
 * Throws `log-invalid`.
 */
export function checkProofFile(
  text: string,
  logKey: VerifierKey,
  witnessKeys: readonly VerifierKey[] = [],
  given?: Buffer,
): { index: number; size: number; entry: Buffer; witnesses: readonly Signed[] } {
  const invalid = (why: string) => new Fault('log-invalid', { outward: `The proof ${why}.` })
  const split = text.indexOf('\n\n')
  if (split < 0) throw invalid('has no checkpoint')
  const rows = text.slice(0, split).split('\n')
  if (rows.shift() !== firstLine) throw invalid('is not of a form that is known here')
  const extra = rows[0]?.startsWith('extra ') ? rows.shift()?.slice(6) : undefined
  const index = /^index (0|[1-9]\d{0,15})$/.exec(rows.shift() ?? '')?.[1]
  if (index === undefined || rows.length > hashesMax) throw invalid('is not whole')
  const hashes = rows.map((row) => Buffer.from(row, 'base64'))
  if (hashes.some((hash) => hash.length !== 32)) throw invalid('has a hash of a wrong length')
  const entry = given ?? (extra === undefined ? null : Buffer.from(extra, 'base64'))
  if (!entry) throw invalid('does not carry its entry')
  const head = openCheckpoint(text.slice(split + 2), logKey, witnessKeys)
  if (!inclusionHolds(leafHash(entry), Number(index), head.size, hashes, head.root)) {
    throw invalid('does not lead to the signed root')
  }
  return { index: Number(index), size: head.size, entry, witnesses: head.witnesses }
}

import { randomBytes } from 'node:crypto'
import { open, readFile, rm, truncate } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isMissing, makeFolder, syncFolder } from '#blob/durable.ts'
import type { SubjectKeys } from '#blob/subject-keys.ts'
import { instantText } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import { ByteWriter, readU64 } from './bytes.ts'
import { commitment } from './leaf.ts'
import type { Opening } from './leaf.ts'
import { seal, unseal } from './seal.ts'
import { tileNumber, tileWidth } from './tiles.ts'

/**
 * The private values beside the tree: one file for each 256 entries, each opening encrypted under
 * its subject's key of the period. They are not part of the tree; the leaf's commitments say
 * whether they are the ones that were recorded.
 *
 * Frame: u32 bytes that follow, u64 log index, u16 bytes of the key id, key id, sealed opening.
 */
export type OpenedFields = Readonly<Record<string, string>>

export type OpeningStore = {
  /** Appends openings of the leaves at these log indices; durable when it resolves. */
  append(openings: readonly Placed[]): Promise<void>
  /** Private values of an entry, `erased`, or null when it has none (or they are not here). */
  find(index: number): Promise<{ subject: string | null; fields: StoredFields } | 'erased' | null>
}

export type Placed = {
  readonly index: number
  readonly atMs: number
  readonly pseudonym: string | null
  readonly opening: Opening
}

type StoredFields = Readonly<Record<string, readonly [salt: string, value: string]>>

/** Cuts what a crash left beyond the log's head, so that a torn frame never hides a whole one. */
export async function openOpeningStore(
  dir: string,
  keys: SubjectKeys,
  logSize: number,
): Promise<OpeningStore> {
  await cutBeyond(dir, logSize)

  return {
    async append(openings) {
      const files = new Map<number, ByteWriter>()
      for (const placed of openings) {
        const at = Math.floor(placed.index / tileWidth)
        const out = files.get(at) ?? new ByteWriter(16 * 1024)
        files.set(at, out)
        const { opening } = placed
        const name = placed.pseudonym ?? `house-${instantText(placed.atMs).slice(0, 7)}`
        const { id, key } = await keys.keyFor(name, opening.subject)
        const stored: Record<string, readonly [string, string]> = {}
        for (const [field, { salt, value }] of Object.entries(opening.fields)) {
          stored[field] = [salt.toString('base64'), value]
        }
        const plain = Buffer.from(JSON.stringify({ subject: opening.subject, fields: stored }))
        const sealed = seal(key, randomBytes(12), plain, `postern-opening/1\n${placed.index}`)
        out.u32(8 + 2 + id.length + sealed.length)
        out.u64(placed.index)
        out.u16(id.length)
        out.text(id)
        out.bytes(sealed)
      }
      await Promise.all([...files].map(([at, out]) => appendTo(fileOf(dir, at), out)))
    },
    async find(index) {
      const bytes = await readOr(fileOf(dir, Math.floor(index / tileWidth)))
      const frame = framesIn(bytes).findLast((candidate) => candidate.index === index)
      if (!frame) return null
      const key = await keys.find(frame.keyId)
      if (key === 'erased') return 'erased'
      const plain = unseal(key, frame.sealed, `postern-opening/1\n${index}`)
      return JSON.parse(plain.toString()) as { subject: string | null; fields: StoredFields }
    },
  }
}

/**
 * The values of an opening, after each was checked against its commitment in the leaf. Throws
 * `log-invalid` when one does not fit: somebody exchanged it.
 */
export function checkedFields(
  fields: StoredFields,
  sealed: Readonly<Record<string, string>>,
): OpenedFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, [salt, value]]) => {
      if (sealed[name] !== commitment(Buffer.from(salt, 'base64'), value)) {
        throw new Fault('log-invalid', {
          outward: `The private value "${name}" is not the one that was recorded.`,
        })
      }
      return [name, value]
    }),
  )
}

function fileOf(dir: string, at: number): string {
  return join(dir, tileNumber(at))
}

async function appendTo(path: string, out: ByteWriter): Promise<void> {
  await makeFolder(dirname(path))
  const file = await open(path, 'a', 0o600)
  try {
    const before = (await file.stat()).size
    try {
      await file.writeFile(out.view(0, out.length))
      await file.datasync()
    } catch (error) {
      await file.truncate(before)
      throw error
    }
    if (before === 0) await syncFolder(dirname(path))
  } finally {
    await file.close()
  }
}

type Frame = { index: number; keyId: string; sealed: Buffer; end: number }

function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  let at = 0
  while (at + 14 <= bytes.length) {
    const end = at + 4 + bytes.readUInt32BE(at)
    const idEnd = at + 14 + bytes.readUInt16BE(at + 12)
    if (end > bytes.length || idEnd > end) break
    const keyId = bytes.toString('utf8', at + 14, idEnd)
    frames.push({ index: readU64(bytes, at + 4), keyId, sealed: bytes.subarray(idEnd, end), end })
    at = end
  }
  return frames
}

async function cutBeyond(dir: string, logSize: number): Promise<void> {
  const edge = Math.floor(logSize / tileWidth)
  const kept = framesIn(await readOr(fileOf(dir, edge))).filter(({ index }) => index < logSize)
  const end = kept.at(-1)?.end ?? 0
  await truncate(fileOf(dir, edge), end).catch((error: unknown) => {
    if (!isMissing(error)) throw error
  })
  for (let at = edge + 1; (await readOr(fileOf(dir, at))).length > 0; at++)
    await rm(fileOf(dir, at))
}

async function readOr(path: string): Promise<Buffer> {
  return await readFile(path).catch((error: unknown) => {
    if (isMissing(error)) return Buffer.alloc(0)
    throw error
  })
}

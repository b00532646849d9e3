import { Fault } from '#words/faults.ts'
import { hashBytes, nodeHash } from './hashing.ts'
import type { LogSource } from './log-source.ts'
import type { Nodes } from './tree.ts'

/** C2SP tlog-tiles: 256 hashes to a tile, 256 entries to a bundle. */
export const tileWidth = 256
export const tileHeight = 8
const tilesCachedMax = 64

/** `1234067` -> `x001/x234/067` */
export function tileNumber(index: number): string {
  const digits = String(index)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const parts = padded.match(/\d{3}/g) ?? []
  return parts.map((part, at) => (at < parts.length - 1 ? `x${part}` : part)).join('/')
}

/** Path of a tile (`level` a number) or entry bundle; `width` below 256 is a partial one. */
export function tilePath(level: number | 'entries', index: number, width = tileWidth): string {
  const partial = width === tileWidth ? '' : `.p/${width}`
  return `tile/${level}/${tileNumber(index)}${partial}`
}

/** How many hashes tile `index` of `level` has in a tree of `size`. */
export function widthAt(level: number, index: number, size: number): number {
  const hashes = Math.floor(size / tileWidth ** level)
  return Math.max(0, Math.min(tileWidth, hashes - index * tileWidth))
}

/** A partial tile may be gone once the full one is there: then the full one's front is it. */
export async function readTile(
  source: LogSource,
  level: number | 'entries',
  index: number,
  width: number,
): Promise<Buffer> {
  const found =
    (await source.read(tilePath(level, index, width))) ??
    (width < tileWidth ? await source.read(tilePath(level, index)) : null)
  if (!found) {
    throw new Fault('log-invalid', {
      outward: `${tilePath(level, index, width)} is missing from the log.`,
    })
  }
  if (level === 'entries') return found
  if (found.length < width * hashBytes || found.length % hashBytes !== 0) {
    throw new Fault('log-invalid', {
      outward: `${tilePath(level, index, width)} has ${found.length} bytes.`,
    })
  }
  return found.subarray(0, width * hashBytes)
}

/** The nodes of a tree of `size` from its tiles, with a bounded cache. */
export function tileNodes(source: LogSource, size: number): Nodes {
  const cache = new Map<string, Buffer>()
  async function tile(level: number, index: number): Promise<Buffer> {
    const width = widthAt(level, index, size)
    const key = `${level}/${index}`
    const known = cache.get(key)
    if (known) return known
    const read = await readTile(source, level, index, width)
    if (cache.size >= tilesCachedMax) cache.clear()
    cache.set(key, read)
    return read
  }
  return async (level, index) => {
    const tileLevel = Math.floor(level / tileHeight)
    const within = level % tileHeight
    const first = index * 2 ** within
    const bytes = await tile(tileLevel, Math.floor(first / tileWidth))
    const from = first % tileWidth
    const hashes: Buffer[] = []
    for (let at = from; at < from + 2 ** within; at++) hashes.push(hashAt(bytes, at))
    return foldPerfect(hashes)
  }
}

export function hashAt(tile: Buffer, at: number): Buffer {
  return tile.subarray(at * hashBytes, (at + 1) * hashBytes)
}

/** Root of a perfect tree over a power of two of hashes. */
export function foldPerfect(hashes: readonly Buffer[]): Buffer {
  let row = [...hashes]
  while (row.length > 1) {
    const next: Buffer[] = []
    for (let at = 0; at + 1 < row.length; at += 2) {
      next.push(nodeHash(row[at] as Buffer, row[at + 1] as Buffer))
    }
    row = next
  }
  return row[0] as Buffer
}

/** The entries of a bundle. Throws `log-invalid` when lengths and bytes do not fit. */
export function readBundle(bundle: Buffer, width: number): Buffer[] {
  const entries: Buffer[] = []
  let at = 0
  while (entries.length < width) {
    if (at + 2 > bundle.length) throw cutBundle()
    const end = at + 2 + bundle.readUInt16BE(at)
    if (end > bundle.length) throw cutBundle()
    entries.push(bundle.subarray(at + 2, end))
    at = end
  }
  return entries
}

function cutBundle(): Fault {
  return new Fault('log-invalid', { outward: 'An entry bundle of the log is cut short.' })
}

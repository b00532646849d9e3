import type { KeyObject } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably, writeManyDurably } from '#blob/durable.ts'
import { Fault } from '#words/faults.ts'
import { openCheckpoint, signCheckpoint } from './checkpoint.ts'
import { emptyRoot, nodeHash } from './hashing.ts'
import { folderSource } from './log-source.ts'
import type { VerifierKey } from './note.ts'
import { foldPerfect, hashAt, readBundle, readTile, tilePath, tileWidth, widthAt } from './tiles.ts'

/** The right edge of the tree: all that is needed to go on. */
type Edge = {
  readonly size: number
  /** Hashes of the unfinished tile of each level. */
  readonly levels: readonly (readonly Buffer[])[]
  /** Entries of the unfinished bundle. */
  readonly bundle: readonly Buffer[]
}

/**
 * Writes a tree in the C2SP tlog-tiles layout. One writer per folder.
 *
 * The checkpoint is the commit: tiles and bundles are durable before it, so a crash at any point
 * leaves the last checkpoint with all that it covers. Tiles beyond it were never promised to
 * anybody and are written again, perhaps with other entries.
 */
export type LogWriter = {
  readonly size: number
  readonly checkpoint: string
  /** Appends the entries and signs the new head. All or nothing. */
  append(entries: readonly Buffer[], leafHashes: readonly Buffer[]): Promise<string>
  /** Puts further signature lines below the present checkpoint. */
  addSignatures(checkpoint: string, lines: readonly string[]): Promise<void>
}

export async function openLogWriter(input: {
  readonly dir: string
  readonly origin: string
  readonly key: KeyObject
  readonly verifier: VerifierKey
}): Promise<LogWriter> {
  const { dir, origin, key } = input
  const source = folderSource(dir)
  const before = await source.read('checkpoint')
  let checkpoint = before?.toString() ?? ''
  let edge: Edge = { size: 0, levels: [], bundle: [] }
  if (before) {
    const { size, root } = openCheckpoint(checkpoint, input.verifier)
    edge = await readEdge(dir, size)
    if (!edgeRoot(edge).equals(root)) {
      throw new Fault('log-invalid', { outward: 'The tiles of the log do not lead to its head.' })
    }
  } else {
    checkpoint = signCheckpoint(origin, 0, emptyRoot, key)
    await writeDurably(join(dir, 'checkpoint'), checkpoint)
  }

  return {
    get size() {
      return edge.size
    },
    get checkpoint() {
      return checkpoint
    },
    async append(entries, leafHashes) {
      const grown = grow(edge, entries, leafHashes)
      await writeManyDurably(grown.files.map(([path, bytes]) => [join(dir, path), bytes]))
      const next = signCheckpoint(origin, grown.edge.size, edgeRoot(grown.edge), key)
      await writeDurably(join(dir, 'checkpoint'), next)
      edge = grown.edge
      checkpoint = next
      // A full tile makes its partial ones superfluous; who still asks for one gets the full one.
      for (const path of grown.full) {
        await rm(join(dir, `${path}.p`), { recursive: true, force: true })
      }
      return next
    },
    async addSignatures(signed, lines) {
      if (signed !== checkpoint || lines.length === 0) return
      checkpoint = signed + lines.join('')
      await writeDurably(join(dir, 'checkpoint'), checkpoint)
    },
  }
}

function grow(edge: Edge, entries: readonly Buffer[], leafHashes: readonly Buffer[]) {
  const files: [path: string, bytes: Buffer][] = []
  const full: string[] = []
  const levels = edge.levels.map((hashes) => [...hashes])
  let bundle = [...edge.bundle]
  let size = edge.size
  const changed = new Set<number>()
  const write = (level: number | 'entries', index: number, bytes: Buffer): void => {
    files.push([tilePath(level, index), bytes])
    full.push(tilePath(level, index))
  }
  const push = (level: number, hash: Buffer, end: number): void => {
    const hashes = (levels[level] ??= [])
    hashes.push(hash)
    changed.add(level)
    if (hashes.length < tileWidth) return
    write(level, end / tileWidth ** (level + 1) - 1, Buffer.concat(hashes))
    levels[level] = []
    push(level + 1, foldPerfect(hashes), end)
  }
  entries.forEach((entry, at) => {
    bundle.push(entry)
    size++
    if (bundle.length === tileWidth) {
      write('entries', size / tileWidth - 1, bundleBytes(bundle))
      bundle = []
    }
    push(0, leafHashes[at] as Buffer, size)
  })
  if (bundle.length > 0) {
    const at = Math.floor(size / tileWidth)
    files.push([tilePath('entries', at, bundle.length), bundleBytes(bundle)])
  }
  for (const level of changed) {
    const hashes = levels[level] ?? []
    if (hashes.length === 0) continue
    const index = Math.floor(size / tileWidth ** (level + 1))
    files.push([tilePath(level, index, hashes.length), Buffer.concat(hashes)])
  }
  return { files, full, edge: { size, levels, bundle } }
}

function bundleBytes(entries: readonly Buffer[]): Buffer {
  const parts: Buffer[] = []
  for (const entry of entries) {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(entry.length)
    parts.push(length, entry)
  }
  return Buffer.concat(parts)
}

/** Root over the unfinished tiles: perfect subtrees from the smallest, right, to the largest. */
function edgeRoot(edge: Edge): Buffer {
  let root: Buffer | null = null
  for (const hashes of edge.levels) {
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

async function readEdge(dir: string, size: number): Promise<Edge> {
  const source = folderSource(dir)
  const levels: Buffer[][] = []
  for (let level = 0; tileWidth ** level <= size; level++) {
    const index = Math.floor(size / tileWidth ** (level + 1))
    const width = widthAt(level, index, size)
    const tile = width === 0 ? Buffer.alloc(0) : await readTile(source, level, index, width)
    levels.push(Array.from({ length: width }, (_, at) => hashAt(tile, at)))
  }
  const index = Math.floor(size / tileWidth)
  const width = size % tileWidth
  const bundle =
    width === 0 ? [] : readBundle(await readTile(source, 'entries', index, width), width)
  return { size, levels, bundle }
}

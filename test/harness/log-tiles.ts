import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, sep } from 'node:path'

/**
 * The leaves of a log, read from its entry bundles by nothing but the C2SP tlog-tiles layout: each
 * entry is two bytes of length and that many bytes. A partial bundle counts until the full one is
 * there.
 */
export function readLeaves(logDir: string): readonly string[] {
  const dir = join(logDir, 'tile', 'entries')
  if (!existsSync(dir)) return []
  const widest = new Map<string, { readonly path: string; readonly width: number }>()
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    // A file that is being written has another name until it is whole.
    if (!entry.isFile() || entry.name.startsWith('.tmp-')) continue
    const path = join(entry.parentPath, entry.name)
    const [place = '', partial] = path.slice(dir.length + 1).split(`.p${sep}`)
    const width = partial === undefined ? 256 : Number(partial)
    if (Number.isNaN(width)) continue
    const index = place.replaceAll('x', '')
    if ((widest.get(index)?.width ?? 0) < width) widest.set(index, { path, width })
  }
  const bundles = [...widest.entries()].sort(([a], [b]) => (a < b ? -1 : 1))
  return bundles.flatMap(([, { path }]) => leavesIn(readWhole(path)))
}

/** A partial bundle may go while we read, when the next one has taken its place. */
function readWhole(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw cause
  }
}

function leavesIn(bundle: Buffer): readonly string[] {
  const leaves: string[] = []
  let at = 0
  while (at < bundle.length) {
    const end = at + 2 + bundle.readUInt16BE(at)
    if (end > bundle.length) throw new Error('torn bundle')
    leaves.push(bundle.toString('utf8', at + 2, end))
    at = end
  }
  return leaves
}

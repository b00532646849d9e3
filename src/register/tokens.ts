import { createHash } from 'node:crypto'
import type { Catalog, CatalogTool } from '#words/catalog.ts'
import type { World } from '#words/clock.ts'
import { base32 } from '#words/ids.ts'
import type { TokenId } from '#words/ids.ts'

export type MadeToken = {
  readonly id: TokenId
  /** Shown once, to whoever asked, and never kept. */
  readonly text: string
  /** Lower-case hex SHA-256 of the whole text; all that is kept. */
  readonly sha256: string
}

/** `pst_` and 256 random bits in base32. A plain hash will do: there is nothing to guess. */
export function makeToken(world: World): MadeToken {
  const text = `pst_${base32(world.randomBytes(32))}`
  return {
    id: `tok_${base32(world.randomBytes(10))}` as TokenId,
    text,
    sha256: createHash('sha256').update(text).digest('hex'),
  }
}

const units: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 24 * 3_600_000,
  w: 7 * 24 * 3_600_000,
}

/** `30d`, `12h`, `90m`, `2w` in milliseconds; null when it is something else. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,5})([mhdw])$/.exec(text)
  const unit = units[match?.[2] ?? '']
  return match === null || unit === undefined ? null : Number(match[1]) * unit
}

export type Doors = {
  /** Origin of the base-URL door: `http://127.0.0.1:7710`. */
  readonly base: string
  /** Origin of the TLS door: `http://127.0.0.1:7711`. */
  readonly proxy: string
  /** Path of the CA's certificate on the machine of the tool. */
  readonly ca: string
}

/** The lines of the catalog that point a tool at a gate, with everything filled in. */
export function pointingLines(tool: CatalogTool, token: string, doors: Doors): readonly string[] {
  const proxy = new URL(doors.proxy)
  const withCredential = `${proxy.protocol}//postern:${token}@${proxy.host}`
  const values: Readonly<Record<string, string>> = {
    '{base}': doors.base.replace(/\/$/, ''),
    '{token}': token,
    '{proxy}': withCredential,
    '{ca}': doors.ca,
  }
  return tool.pointing.map((line) =>
    line.replaceAll(/\{(?:base|token|proxy|ca)\}/g, (name) => values[name] ?? name),
  )
}

export function findTool(catalog: Catalog, id: string): CatalogTool | null {
  return catalog.tools.find((tool) => tool.id === id) ?? null
}

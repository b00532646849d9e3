import { createHmac, hash } from 'node:crypto'
import type { EntryKind } from '#words/entry.ts'
import { base32 } from '#words/ids.ts'
import type { NodeId, Pseudonym } from '#words/ids.ts'
import type { World } from '#words/clock.ts'
import type { ByteWriter } from './bytes.ts'

/**
 * A leaf, format 1: canonical JSON (RFC 8785) of
 *
 *   at       epoch milliseconds
 *   counter  position in the node's spool, from 1, without gaps
 *   kind     what happened
 *   node     who wrote it
 *   of       (outcome only) counter of the verdict that it closes
 *   public   classes, lengths, ids and digests, as they stand
 *   sealed   name -> base64url SHA-256(salt || value); salt and value are in the opening
 *   subject  a pseudonym for the month, or null
 *   v        1
 *
 * Never a name, a prompt or a secret: whoever reads the log learns what a salted hash tells, which
 * without its 32-byte random salt is nothing.
 */
export type Item = {
  readonly kind: EntryKind
  readonly atMs: number
  readonly subject: string | null
  /** A pseudonym that is already known (an entry closed after a crash); wins over `subject`. */
  readonly pseudonym?: string
  readonly of: number
  /** Canonical JSON of the public part. */
  readonly publicText: string
  /** Sorted by name. */
  readonly sealed: readonly (readonly [name: string, value: string])[]
}

export const saltBytes = 32
/** The subject length that says "the house". */
const noSubject = 0xffff

export type LeafWriter = {
  /** Appends the leaf's JSON to `leaves`, its opening to `openings`. */
  write(item: Item, counter: number, first: number, leaves: ByteWriter, openings: ByteWriter): void
  pseudonym(subject: string, atMs: number): Pseudonym
}

export function createLeafWriter(world: World, node: NodeId, pseudonymKey: Buffer): LeafWriter {
  const nodeText = JSON.stringify(node)
  let months: Month[] = []
  let salts: Buffer = Buffer.alloc(0)
  let saltAt = 0

  function monthAt(atMs: number): Month {
    const known = months.find(({ fromMs, untilMs }) => atMs >= fromMs && atMs < untilMs)
    if (known) return known
    const at = new Date(atMs)
    const made = {
      fromMs: Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), 1),
      untilMs: Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + 1, 1),
      name: at.toISOString().slice(0, 7),
      pseudonyms: new Map<string, Pseudonym>(),
    }
    // Two: around midnight of the last day, verdicts and outcomes fall into both.
    months = [made, ...months].slice(0, 2)
    return made
  }

  /** Keyed per month: a pseudonym of May tells nothing about June, and nobody can guess one. */
  function pseudonym(subject: string, atMs: number): Pseudonym {
    const { name, pseudonyms } = monthAt(atMs)
    const known = pseudonyms.get(subject)
    if (known !== undefined) return known
    const made = pseudonymOf(pseudonymKey, name, subject)
    if (pseudonyms.size >= pseudonymsCachedMax) pseudonyms.clear()
    pseudonyms.set(subject, made)
    return made
  }

  function writeSalt(out: ByteWriter): void {
    if (saltAt + saltBytes > salts.length) {
      salts = world.randomBytes(saltPoolBytes)
      saltAt = 0
    }
    salts.copy(out.room(saltBytes), out.length, saltAt, saltAt + saltBytes)
    out.length += saltBytes
    saltAt += saltBytes
  }

  function writeOpening(item: Item, counter: number, first: number, openings: ByteWriter): string {
    if (item.sealed.length === 0) return ''
    openings.u32(counter - first)
    if (item.subject === null) openings.u16(noSubject)
    else writeShort(openings, item.subject)
    openings.u16(item.sealed.length)
    let text = ''
    for (const [name, value] of item.sealed) {
      writeShort(openings, name)
      const lengthAt = openings.length
      openings.u32(0)
      const start = openings.length
      writeSalt(openings)
      const size = openings.text(value)
      openings.setU32(lengthAt, size)
      const digest = hash('sha256', openings.view(start, openings.length), 'base64url')
      text += `${text === '' ? '' : ','}"${name}":"${digest}"`
    }
    return text
  }

  return {
    pseudonym,
    write(item, counter, first, leaves, openings) {
      const sealed = writeOpening(item, counter, first, openings)
      const who =
        item.pseudonym ?? (item.subject === null ? null : pseudonym(item.subject, item.atMs))
      const of = item.of === 0 ? '' : `,"of":${item.of}`
      leaves.text(
        `{"at":${item.atMs},"counter":${counter},"kind":"${item.kind}","node":${nodeText}${of}` +
          `,"public":${item.publicText},"sealed":{${sealed}}` +
          `,"subject":${who === null ? 'null' : `"${who}"`},"v":1}`,
      )
    },
  }
}

export function pseudonymOf(key: Buffer, month: string, subject: string): Pseudonym {
  const digest = createHmac('sha256', key).update(`${month}\n${subject}`).digest()
  return `p_${base32(digest.subarray(0, 16))}` as Pseudonym
}

type Month = {
  readonly fromMs: number
  readonly untilMs: number
  readonly name: string
  readonly pseudonyms: Map<string, Pseudonym>
}

const pseudonymsCachedMax = 16_384
const saltPoolBytes = 16_384

function writeShort(out: ByteWriter, value: string): void {
  const at = out.length
  out.u16(0)
  const size = out.text(value)
  out.view(at, at + 2).writeUInt16BE(size, 0)
}

/** Salt and value of each private field of one entry. */
export type Opening = {
  readonly counter: number
  readonly subject: string | null
  readonly fields: Readonly<Record<string, { readonly salt: Buffer; readonly value: string }>>
}

/** Reads what `write` appended to `openings` for one block. Bounded by the block's own length. */
export function readOpenings(bytes: Buffer, first: number): Opening[] {
  const found: Opening[] = []
  let at = 0
  const short = (): string => {
    const size = bytes.readUInt16BE(at)
    at += 2 + size
    return bytes.toString('utf8', at - size, at)
  }
  while (at < bytes.length) {
    const counter = first + bytes.readUInt32BE(at)
    at += 4
    let subject: string | null = null
    if (bytes.readUInt16BE(at) === noSubject) at += 2
    else subject = short()
    let fields = bytes.readUInt16BE(at)
    at += 2
    const opening: Record<string, { salt: Buffer; value: string }> = {}
    for (; fields > 0; fields--) {
      const name = short()
      const size = bytes.readUInt32BE(at)
      const salt = bytes.subarray(at + 4, at + 4 + saltBytes)
      at += 4 + saltBytes + size
      opening[name] = { salt, value: bytes.toString('utf8', at - size, at) }
    }
    found.push({ counter, subject, fields: opening })
  }
  return found
}

/** Does the opening fit the commitment that stands in the leaf? */
export function commitment(salt: Buffer, value: string): string {
  return hash('sha256', Buffer.concat([salt, Buffer.from(value)]), 'base64url')
}

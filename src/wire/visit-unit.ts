import type { BlockKind } from '#words/content.ts'
import { limits } from '#words/limits.ts'
import { base64Class } from './json-classes.ts'
import { latin1 } from './json-text.ts'
import { JsonWalk } from './json-walk.ts'
import { keyCode } from './key-codes.ts'
import { roleKinds } from './visit-tables.ts'
import type { VisitTable } from './visit-tables.ts'

/** What was seen in one member of a request, or in one element of its conversation. */
export type Unit<Notes> = {
  /** Bytes of the value. */
  readonly length: number
  readonly blocksSeen: number
  readonly blocksInspected: number
  readonly unknownBlocks: number
  /** Bytes that have no text in them: pictures, encrypted reasoning. */
  readonly opaqueBytes: number
  readonly skipped: Readonly<Record<string, number>> | null
  /** What the sink noted about its strings. */
  readonly notes: Notes | null
}

/** Takes every string of a body with the kind of block that it stands in. */
export type TextSink<Notes> = {
  /** Strings with none of these flags are not handed over; -1: all are. */
  readonly wanted: number
  text(kind: BlockKind, buf: Buffer, start: number, end: number, flags: number, unit: number): void
  /** What has no JSON structure any more. */
  raw(buf: Buffer, start: number, end: number): void
  /** Notes on the unit that ends here; null when there are none. */
  take(): Notes | null
}

type Block = { start: number; type: string; own: BlockKind | null; opaque: number; words: number }

const pendingFields = 4

/**
 * Walks one unit: finds its content blocks and their kinds, and hands its strings over once the
 * kinds are known (`role` and `type` may be written after the text that they are about).
 *
 * Nothing is skipped by its place: a string is passed over only when it is what its type says
 * (base64 in an image, ciphertext in reasoning), and then it is counted with the reason.
 */
export abstract class UnitWalk<Notes> extends JsonWalk {
  protected table!: VisitTable
  protected sink!: TextSink<Notes>
  protected blocksTotal = 0
  #unitStart = 0
  /** Depth inside the item's own object; -1 when the unit is no conversation item. */
  #itemDepth = -1
  #kind: BlockKind = 'metadata'
  #blocks: Block[] = []
  #current = 0
  #role = ''
  #strings = new Int32Array(256 * pendingFields)
  #stringCount = 0
  #opaqueBytes = 0
  #skipped: Record<string, number> | null = null
  // Per depth: a string that may turn out to be opaque, and one handed up by a `source` object.
  readonly #candStart = new Int32Array(limits.jsonDepthMax + 2)
  readonly #candEnd = new Int32Array(limits.jsonDepthMax + 2)
  readonly #candKey = new Int32Array(limits.jsonDepthMax + 2)
  readonly #inObject = new Uint8Array(limits.jsonDepthMax + 2)

  protected override begin(buf: Buffer): void {
    super.begin(buf)
    this.#itemDepth = -1
    this.#reset()
  }

  #reset(): void {
    this.#stringCount = 0
    this.#opaqueBytes = 0
    this.#skipped = null
    this.#role = ''
    this.#blocks = [{ start: this.pos, type: '', own: null, opaque: 0, words: 0 }]
    this.#current = 0
  }

  /** Walks the value at the present position as one unit, which began at `from`. */
  protected unit(kind: BlockKind | 'item', from = this.pos): Unit<Notes> {
    this.#unitStart = from
    this.#kind = kind === 'item' ? 'unknown' : kind
    const first = this.buf[this.pos] as number
    const counts = first === 0x7b || first === 0x5b || first === 0x22
    this.#itemDepth = kind === 'item' && first === 0x7b ? this.depth + 1 : -1
    this.value(keyCode.other)
    return this.#close(kind === 'item', counts)
  }

  protected override member(key: number): void {
    if (this.depth !== this.#itemDepth) return this.value(key)
    if (key === keyCode.role && this.peek() === 0x22) {
      const start = this.pos + 1
      this.value(key)
      this.#role = latin1(this.buf, start, Math.min(this.pos - 1, start + 32))
    } else if (key === keyCode.content) this.#content()
    else this.value(key)
  }

  #content(): void {
    const c = this.peek()
    if (c !== 0x5b) {
      if (c === 0x22 || c === 0x7b) this.#part()
      else this.value(keyCode.content)
      return
    }
    this.deeper()
    if (this.peek() === 0x5d) this.pos++
    else {
      for (;;) {
        this.peek()
        this.#part()
        const after = this.peek()
        this.pos++
        if (after === 0x2c) continue
        if (after === 0x5d) break
        this.pos--
        this.broken('a comma or the end of an array was expected')
      }
    }
    this.depth--
  }

  #part(): void {
    const type = this.buf[this.pos] === 0x22 ? 'text' : ''
    this.#blocks.push({ start: this.pos, type, own: null, opaque: 0, words: 0 })
    this.countBlock()
    const outer = this.#current
    this.#current = this.#blocks.length - 1
    this.value(keyCode.content)
    this.#current = outer
  }

  protected countBlock(): void {
    if (++this.blocksTotal > limits.blocksPerBodyMax) {
      this.broken(`more than ${limits.blocksPerBodyMax} blocks`)
    }
  }

  protected override deeper(): void {
    super.deeper()
    this.#inObject[this.depth] = 0
    this.#candStart[this.depth] = -1
  }

  protected override objectStart(): void {
    this.#inObject[this.depth] = 1
  }

  protected override text(start: number, end: number, flags: number, key: number): void {
    if (end === start) return
    if (key !== keyCode.other && key > keyCode.role) {
      const block = this.#blocks[this.#current] as Block
      if (key === keyCode.text || key === keyCode.content || key === keyCode.thinking) {
        block.words++
      } else if (this.#mayBeOpaque(start, end, flags, key)) return
    }
    this.#keep(start, end, flags)
  }

  #keep(start: number, end: number, flags: number): void {
    if ((flags & this.sink.wanted) === 0 && this.sink.wanted !== -1) return
    let at = this.#stringCount * pendingFields
    if (at === this.#strings.length) {
      const grown = new Int32Array(at * 2)
      grown.set(this.#strings)
      this.#strings = grown
    }
    this.#stringCount++
    this.#strings[at++] = start
    this.#strings[at++] = end
    this.#strings[at++] = flags
    this.#strings[at] = this.#current
  }

  /** Sets a string aside until the `type` of its object is known. */
  #mayBeOpaque(start: number, end: number, flags: number, key: number): boolean {
    if (flags !== 0 || end - start < 16) return false
    if (key === keyCode.imageUrl || key === keyCode.fileData) {
      const payload = dataUrlPayload(this.buf, start, end)
      if (payload < 0 || !isBase64(this.buf, payload, end)) return false
      this.#opaque(start, end, key === keyCode.imageUrl ? 'image-bytes' : 'document-bytes')
      return true
    }
    if (
      key !== keyCode.data &&
      key !== keyCode.signature &&
      key !== keyCode.encryptedContent &&
      key !== keyCode.result
    ) {
      return false
    }
    const { depth } = this
    if (this.#inObject[depth] !== 1 || (this.#candStart[depth] as number) >= 0) return false
    if (!isBase64(this.buf, start, end)) return false
    this.#setAside(depth, start, end, key)
    return true
  }

  #setAside(depth: number, start: number, end: number, key: number): void {
    this.#candStart[depth] = start
    this.#candEnd[depth] = end
    this.#candKey[depth] = key
  }

  protected override objectEnd(typeStart: number, typeEnd: number, parentKey: number): void {
    const { depth } = this
    const inner = depth + 1
    const start = this.#candStart[inner] as number
    const ofItem = depth === this.#itemDepth - 1
    const ofPart = this.#itemDepth >= 0 && depth === this.#itemDepth + 1 && this.#current > 0
    if (start < 0 && !ofItem && !ofPart) return
    const type = typeStart < 0 ? '' : latin1(this.buf, typeStart, Math.min(typeEnd, typeStart + 64))
    if (ofItem) (this.#blocks[0] as Block).type = type
    else if (ofPart) (this.#blocks[this.#current] as Block).type = type
    if (start < 0) return
    const end = this.#candEnd[inner] as number
    const key = this.#candKey[inner] as number
    const free = this.#inObject[depth] === 1 && (this.#candStart[depth] as number) < 0
    if (key === keyCode.data && parentKey === keyCode.source && free) {
      this.#setAside(depth, start, end, keyCode.source)
      return
    }
    const reason = opaqueReasons.get(`${key}/${type}`)
    if (reason === undefined) this.#keep(start, end, 0)
    else this.#opaque(start, end, reason)
  }

  #opaque(start: number, end: number, reason: string): void {
    this.#opaqueBytes += end - start
    this.#skipped ??= {}
    this.#skipped[reason] = (this.#skipped[reason] ?? 0) + 1
    ;(this.#blocks[this.#current] as Block).opaque++
  }

  #close(isItem: boolean, counts: boolean): Unit<Notes> {
    const { sink, buf, table } = this
    const blocks = this.#blocks
    const roleKind = roleKinds.get(this.#role) ?? 'unknown'
    let seen = 0
    let inspected = 0
    let unknown = 0
    const own = blocks[0] as Block
    const ownType = isItem ? table.types.get(own.type || 'message') : this.#kind
    const isMessage = isItem && (ownType === 'by-role' || own.type === '')
    for (let at = 0; at < blocks.length; at++) {
      const block = blocks[at] as Block
      let kind: BlockKind
      if (at === 0) kind = this.#ownKind(isItem, isMessage)
      else {
        const found = table.types.get(block.type) ?? 'unknown'
        kind = found === 'by-role' ? (isMessage ? roleKind : this.#ownKind(true, false)) : found
      }
      block.own = kind
      if (at === 0 && (!counts || (isMessage && blocks.length > 1))) continue
      seen++
      if (kind === 'unknown') unknown++
      if (block.opaque === 0 || block.words > 0) inspected++
    }
    const strings = this.#strings
    const fields = this.#stringCount * pendingFields
    for (let at = 0; at < fields; at += pendingFields) {
      const block = blocks[strings[at + 3] as number] as Block
      const start = strings[at] as number
      const kind = block.own ?? 'unknown'
      sink.text(
        kind,
        buf,
        start,
        strings[at + 1] as number,
        strings[at + 2] as number,
        this.#unitStart,
      )
    }
    const unit = {
      length: this.pos - this.#unitStart,
      blocksSeen: seen,
      blocksInspected: inspected,
      unknownBlocks: unknown,
      opaqueBytes: this.#opaqueBytes,
      skipped: this.#skipped,
      notes: sink.take(),
    }
    this.#reset()
    return unit
  }

  #ownKind(isItem: boolean, isMessage: boolean): BlockKind {
    if (!isItem) return this.#kind
    const { type } = this.#blocks[0] as Block
    if (isMessage) return roleKinds.get(this.#role) ?? 'unknown'
    const found = this.table.types.get(type) ?? 'unknown'
    return found === 'by-role' ? (roleKinds.get(this.#role) ?? 'unknown') : found
  }
}

const opaqueReasons: ReadonlyMap<string, string> = new Map([
  [`${keyCode.source}/image`, 'image-bytes'],
  [`${keyCode.source}/document`, 'document-bytes'],
  [`${keyCode.data}/redacted_thinking`, 'encrypted-thinking'],
  [`${keyCode.signature}/thinking`, 'encrypted-thinking'],
  [`${keyCode.encryptedContent}/reasoning`, 'encrypted-thinking'],
  [`${keyCode.encryptedContent}/compaction`, 'encrypted-thinking'],
  [`${keyCode.encryptedContent}/compaction_summary`, 'encrypted-thinking'],
  [`${keyCode.result}/image_generation_call`, 'image-bytes'],
])

function isBase64(buf: Buffer, start: number, end: number): boolean {
  for (let p = start; p < end; p++) if (base64Class[buf[p] as number] === 0) return false
  return true
}

const base64Mark = Buffer.from(';base64,')

/** Where the payload of a base64 `data:` URL starts (RFC 2397); -1 when it is none. */
function dataUrlPayload(buf: Buffer, start: number, end: number): number {
  if (latin1(buf, start, start + 5) !== 'data:') return -1
  const mark = buf.subarray(start, Math.min(end, start + 128)).indexOf(base64Mark)
  return mark < 0 ? -1 : start + mark + base64Mark.length
}

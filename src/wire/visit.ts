import type { BlockKind } from '#words/content.ts'
import { decodeString } from './json-text.ts'
import { JsonBroken, longKey } from './json-walk.ts'
import { commonPrefix, sameBytes } from './same-bytes.ts'
import { visitTables } from './visit-tables.ts'
import { UnitWalk } from './visit-unit.ts'
import type { TextSink, Unit } from './visit-unit.ts'

export type ReadableWire = keyof typeof visitTables

export type Member<Notes> = {
  readonly name: string
  readonly keyStart: number
  readonly keyEnd: number
  readonly keyFlags: number
  readonly start: number
  end: number
  /** Walked element by element; otherwise the whole value is `units[0]`. */
  readonly isList: boolean
  readonly starts: number[]
  readonly units: Unit<Notes>[]
}

/** A body that was walked to its end, with what is needed to walk the next one faster. */
export type Visited<Notes> = {
  readonly body: Buffer
  readonly members: readonly Member<Notes>[]
  readonly byName: ReadonlyMap<string, Member<Notes>>
  /** Not JSON from here on: walked as plain text. */
  readonly broken: string | null
  readonly ambiguous: string | null
  /** Bytes whose units were taken over from the prior body. */
  readonly bytesResumed: number
  readonly bytesOpaque: number
}

/**
 * Walks a request body of one wire format and hands every string to the sink.
 *
 * Fails closed: where the body stops being JSON, the unit that broke and everything behind it is
 * handed over as plain text and said in `broken`; a prior body is used only when it was sound.
 *
 * Taking over: the walk starts behind what both bodies have in common, and a member or element is
 * not walked again when the prior body has the same bytes under the same member. Equality is by
 * comparing memory, and only whole values that the parser enters in the same state are taken, so
 * a sender who moves a cache mark or crafts a collision gains nothing: other bytes are walked.
 */
export class BodyVisitor<Notes> extends UnitWalk<Notes> {
  #members: Member<Notes>[] = []
  #byName = new Map<string, Member<Notes>>()
  #prior: Visited<Notes> | null = null
  #resumed = 0

  visit(
    wire: ReadableWire,
    body: Buffer,
    sink: TextSink<Notes>,
    prior: Visited<Notes> | null,
  ): Visited<Notes> {
    this.table = visitTables[wire]
    this.sink = sink
    // A walk that a detector broke off may have left notes behind.
    sink.take()
    this.blocksTotal = 0
    this.#members = []
    this.#byName = new Map()
    this.#resumed = 0
    this.#prior = prior !== null && prior.broken === null && prior.ambiguous === null ? prior : null
    this.begin(body)
    let broken: string | null = null
    try {
      this.#document()
    } catch (cause) {
      if (!(cause instanceof JsonBroken)) throw cause
      broken = cause.message
      this.#rest()
    }
    let bytesOpaque = 0
    for (const member of this.#members)
      for (const unit of member.units) bytesOpaque += unit.opaqueBytes
    this.#prior = null
    return {
      body,
      members: this.#members,
      byName: this.#byName,
      broken,
      ambiguous: this.ambiguous,
      bytesResumed: this.#resumed,
      bytesOpaque,
    }
  }

  #document(): void {
    if (this.peek() !== 0x7b) this.broken('a JSON object was expected')
    this.deeper()
    const base = this.openKeys()
    let c = this.#resume(base)
    if (c === 0x7d && this.#members.length === 0) this.pos++
    else {
      for (;;) {
        if (this.#members.length > 0) {
          if (c === 0x7d) {
            this.pos++
            break
          }
          if (c !== 0x2c) this.broken('a comma or the end of an object was expected')
          this.pos++
          c = this.peek()
        }
        if (c !== 0x22) this.broken('a key was expected')
        this.#member(base)
        c = this.peek()
      }
    }
    this.closeKeys(base)
    this.depth--
    if (this.peek() !== -1) this.doubt('bytes after the end of the document', this.pos)
    if (this.pos < this.buf.length) this.#tail()
  }

  #member(base: number): void {
    const keyStart = this.pos + 1
    this.key(base)
    const keyEnd = this.pos - 1
    const keyFlags = this.flags
    const name = decodeString(this.buf, keyStart, Math.min(keyEnd, keyStart + 256))
    if (this.peek() !== 0x3a) this.broken('a colon was expected')
    this.pos++
    const c = this.peek()
    // A key that is itself worth a look is walked together with its value, as something unknown.
    const odd = keyFlags !== 0 || keyEnd - keyStart >= longKey
    const isList = !odd && c === 0x5b && (this.table.items.has(name) || this.table.lists.has(name))
    const member: Member<Notes> = {
      name,
      keyStart,
      keyEnd,
      keyFlags,
      start: odd ? keyStart - 1 : this.pos,
      end: this.pos,
      isList,
      starts: [],
      units: [],
    }
    this.#add(member)
    const before = odd ? undefined : this.#prior?.byName.get(name)
    if (before !== undefined && this.#takeMember(before, member)) return
    if (isList) this.#list(member, 0, before)
    else {
      member.starts.push(member.start)
      member.units.push(this.unit(odd ? 'unknown' : this.#kindOf(name), member.start))
    }
    member.end = this.pos
  }

  #add(member: Member<Notes>): void {
    this.countBlock()
    this.#members.push(member)
    this.#byName.set(member.name, member)
  }

  #kindOf(name: string): BlockKind | 'item' {
    if (this.table.items.has(name)) return this.buf[this.pos] === 0x22 ? 'user-text' : 'item'
    const kind = this.table.lists.get(name)
    if (kind !== undefined) return kind
    return this.table.settings.has(name) ? 'metadata' : 'unknown'
  }

  /** The elements from `index` on; the position is before the first value or behind an element. */
  #list(member: Member<Notes>, index: number, before: Member<Notes> | undefined): void {
    const kind = this.table.items.has(member.name) ? 'item' : this.#kindOf(member.name)
    if (index === 0) {
      this.deeper()
      if (this.peek() === 0x5d) {
        this.pos++
        this.depth--
        return
      }
      this.#element(member, kind, before)
    }
    for (;;) {
      const c = this.peek()
      if (c === 0x5d) break
      if (c !== 0x2c) this.broken('a comma or the end of an array was expected')
      this.pos++
      this.peek()
      this.#element(member, kind, before)
    }
    this.pos++
    this.depth--
  }

  #element(
    member: Member<Notes>,
    kind: BlockKind | 'item',
    before: Member<Notes> | undefined,
  ): void {
    this.countBlock()
    const index = member.units.length
    const start = this.pos
    member.starts.push(start)
    if (before !== undefined && this.#prior !== null && index < before.units.length) {
      const unit = before.units[index] as Unit<Notes>
      const from = before.starts[index] as number
      if (before.isList && this.#sameValue(from, from + unit.length)) {
        member.units.push(unit)
        this.pos = start + unit.length
        this.#resumed += unit.length
        this.blocksTotal += unit.blocksSeen
        return
      }
    }
    member.units.push(this.unit(kind))
  }

  /** Does the value that starts here have the bytes of the prior body's [from, to)? */
  #sameValue(from: number, to: number): boolean {
    const prior = this.#prior as Visited<Notes>
    const first = this.buf[this.pos]
    // Only these end by themselves: `1` is also the beginning of `12`.
    if (first !== 0x7b && first !== 0x5b && first !== 0x22) return false
    return sameBytes(prior.body, from, to, this.buf, this.pos)
  }

  #takeMember(before: Member<Notes>, member: Member<Notes>): boolean {
    if (before.end - before.start > this.buf.length - this.pos) return false
    if (before.isList !== member.isList || !this.#sameValue(before.start, before.end)) return false
    const shift = this.pos - before.start
    for (let at = 0; at < before.units.length; at++) {
      const unit = before.units[at] as Unit<Notes>
      member.starts.push((before.starts[at] as number) + shift)
      member.units.push(unit)
      this.blocksTotal += unit.blocksSeen + 1
    }
    this.#resumed += before.end - before.start
    this.pos = member.end = before.end + shift
    return true
  }

  /**
   * Starts behind what both bodies have in common: whole members, then whole elements of the list
   * in which they part. Returns the byte to go on with.
   */
  #resume(base: number): number {
    const prior = this.#prior
    const shared = prior === null ? 0 : commonPrefix(prior.body, this.buf)
    if (prior === null || shared <= this.pos) return this.peek()
    for (const member of prior.members) {
      // One more byte in common than the value has: a number does not go on behind it.
      const whole = member.end < shared
      let count = member.units.length
      if (!whole) {
        if (!member.isList) break
        while (count > 0 && elementEnd(member, count - 1) >= shared) count--
        if (count === 0) break
      }
      const taken: Member<Notes> = {
        ...member,
        starts: member.starts.slice(0, count),
        units: member.units.slice(0, count),
      }
      this.keyAgain(base, member.keyStart, member.keyEnd, member.keyFlags)
      this.#add(taken)
      for (const unit of taken.units) this.blocksTotal += unit.blocksSeen + 1
      if (whole) {
        this.#resumed = member.end
        this.pos = member.end
        continue
      }
      this.#resumed = elementEnd(member, count - 1)
      this.pos = member.start
      this.deeper()
      this.pos = this.#resumed
      this.#list(taken, count, member)
      taken.end = this.pos
      break
    }
    return this.peek()
  }

  /** Everything from the unit that broke to the end of the body is plain text. */
  #rest(): void {
    const last = this.#members.at(-1)
    let from = this.pos
    if (last !== undefined) {
      // A start without a unit: the value that broke.
      if (last.starts.length > last.units.length) from = last.starts.pop() as number
      else from = Math.min(from, last.start)
      if (last.units.length > 0) {
        from = (last.starts.at(-1) as number) + (last.units.at(-1) as Unit<Notes>).length
      }
      last.end = Math.max(last.start, from)
    } else from = 0
    this.sink.take()
    this.pos = from
    this.#tail()
  }

  #tail(): void {
    const start = this.pos
    const { buf, sink } = this
    sink.raw(buf, start, buf.length)
    const unit: Unit<Notes> = {
      length: buf.length - start,
      blocksSeen: 1,
      blocksInspected: 1,
      unknownBlocks: 1,
      opaqueBytes: 0,
      skipped: null,
      notes: sink.take(),
    }
    this.#members.push({
      name: '',
      keyStart: start,
      keyEnd: start,
      keyFlags: 0,
      start,
      end: buf.length,
      isList: false,
      starts: [start],
      units: [unit],
    })
    this.pos = buf.length
  }
}

function elementEnd(member: Member<unknown>, index: number): number {
  return (member.starts[index] as number) + (member.units[index] as Unit<unknown>).length
}

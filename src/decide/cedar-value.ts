/**
 * Values of the Cedar language as the compiled policies see them.
 *
 * A Long is a `number` while it is a safe integer and a `bigint` beyond, so that comparison by
 * `===` is exact in both; arithmetic that leaves 64 bits is an error, as in Cedar. A record is a
 * plain object in which `undefined` means absent.
 */
export type CedarValue = boolean | number | bigint | string | CedarSet | Entity | CedarRecord
export type CedarRecord = { readonly [attribute: string]: CedarValue | undefined }

export class Entity {
  readonly type: string
  readonly id: string
  /** Null when the request says nothing about this entity: reading an attribute is an error. */
  readonly data: EntityData | null

  constructor(type: string, id: string, data: EntityData | null = null) {
    this.type = type
    this.id = id
    this.data = data
  }
}

export type EntityData = {
  readonly attributes: CedarRecord
  /** Every ancestor, not only parents. */
  readonly ancestors: readonly Entity[]
}

export class CedarSet {
  readonly items: readonly CedarValue[]
  /** Looks strings up; null in sets so small that a walk is quicker. */
  readonly #strings: ReadonlySet<CedarValue> | null

  constructor(items: readonly CedarValue[]) {
    this.items = items
    this.#strings = items.length > 8 ? new Set(items) : null
  }

  has(value: CedarValue): boolean {
    if (typeof value === 'string' && this.#strings !== null) return this.#strings.has(value)
    for (let at = 0; at < this.items.length; at++) {
      if (same(this.items[at], value)) return true
    }
    return false
  }

  hasAll(other: CedarSet): boolean {
    for (let at = 0; at < other.items.length; at++) {
      if (!this.has(other.items[at] as CedarValue)) return false
    }
    return true
  }
}

export const emptySet = new CedarSet([])

/** What Cedar calls an evaluation error. The policy is skipped, and the decider blocks. */
export class CedarError extends Error {
  override readonly name = 'CedarError'
}

/** Cedar's `==`: never an error; values of two types are different. */
export function same(left: CedarValue | undefined, right: CedarValue | undefined): boolean {
  if (left === right) return true
  if (typeof left !== 'object' || typeof right !== 'object') return false
  if (left instanceof Entity) {
    return right instanceof Entity && left.id === right.id && left.type === right.type
  }
  if (left instanceof CedarSet) {
    return right instanceof CedarSet && left.hasAll(right) && right.hasAll(left)
  }
  if (right instanceof Entity || right instanceof CedarSet) return false
  let members = 0
  for (const key of Object.keys(left)) {
    if (left[key] === undefined) continue
    members++
    if (!Object.hasOwn(right, key) || !same(left[key], right[key])) return false
  }
  for (const key of Object.keys(right)) if (right[key] !== undefined) members--
  return members === 0
}

export function isRecord(value: CedarValue): value is CedarRecord {
  return typeof value === 'object' && !(value instanceof Entity) && !(value instanceof CedarSet)
}

const longMax = 2n ** 63n - 1n
const longMin = -(2n ** 63n)

/** One spelling for each Long; beyond 64 bits is Cedar's integer overflow. */
export function long(exact: bigint): number | bigint {
  if (exact > longMax || exact < longMin) throw new CedarError('integer overflow')
  const short = Number(exact)
  return Number.isSafeInteger(short) ? short : exact
}

type Plain = boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain }

/** For the oracle and the opening: `__entity` for entities, arrays for sets. */
export function toCedarJson(value: CedarValue): Plain {
  if (typeof value === 'bigint') throw new CedarError('a Long beyond 2^53 has no exact JSON')
  if (typeof value !== 'object') return value
  if (value instanceof Entity) return { __entity: { type: value.type, id: value.id } }
  if (value instanceof CedarSet) return value.items.map(toCedarJson)
  const record: Record<string, Plain> = {}
  for (const key of Object.keys(value)) {
    const member = value[key]
    if (member !== undefined) record[key] = toCedarJson(member)
  }
  return record
}

import { decodeString } from './json-text.ts'
import { stringClass } from './json-classes.ts'

/** RFC 6901 spelling of one step. Long keys are cut: a place is told, not its content. */
export function pointerStep(name: string): string {
  return `/${name.slice(0, 64).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

type Step = { readonly isObject: boolean; index: number; key: string }

/**
 * JSON Pointers from the value at `from` to strings inside it. The text was walked before, so it is
 * known to be sound; it is read once more only where something was found, and goes on from one
 * target to the next, so that many findings cost one reading.
 */
export class PointerWalk {
  readonly #buf: Buffer
  readonly #from: number
  #p: number
  #steps: Step[] = []
  #keyNext = false

  constructor(buf: Buffer, from: number) {
    this.#buf = buf
    this.#from = from
    this.#p = from
  }

  /** Pointer to the string whose first byte is at `target`; to its object when it is a key. */
  to(target: number): string {
    if (target <= this.#p && this.#p !== this.#from) {
      this.#p = this.#from
      this.#steps = []
      this.#keyNext = false
    }
    while (this.#p < target - 1) this.#step()
    const steps = this.#keyNext ? this.#steps.slice(0, -1) : this.#steps
    return steps.map((step) => pointerStep(step.isObject ? step.key : String(step.index))).join('')
  }

  #step(): void {
    const c = this.#buf[this.#p] as number
    const top = this.#steps.at(-1)
    if (c === 0x22) {
      const start = this.#p + 1
      this.#p = stringEnd(this.#buf, start)
      if (this.#keyNext && top !== undefined) {
        top.key = decodeString(this.#buf, start, this.#p)
        this.#keyNext = false
      }
    } else if (c === 0x7b || c === 0x5b) {
      this.#steps.push({ isObject: c === 0x7b, index: 0, key: '' })
      this.#keyNext = c === 0x7b
    } else if (c === 0x7d || c === 0x5d) {
      this.#steps.pop()
      this.#keyNext = false
    } else if (c === 0x2c && top !== undefined) {
      top.index++
      this.#keyNext = top.isObject
    }
    this.#p++
  }
}

function stringEnd(buf: Buffer, start: number): number {
  let p = start
  for (;;) {
    const c = buf[p]
    if (c === undefined || c === 0x22) return p
    p += c === 0x5c ? 2 : 1
    while (p < buf.length && stringClass[buf[p] as number] === 0) p++
  }
}

/**
 * Raw bytes of the value of a member of the object at `from`; null when it has none. For settings:
 * small objects that were walked before.
 */
export function memberValue(buf: Buffer, from: number, name: string): Buffer | null {
  if (buf[from] !== 0x7b) return null
  let depth = 0
  let key = ''
  let start = -1
  for (let p = from; p < buf.length; p++) {
    const c = buf[p] as number
    if (c === 0x22) {
      const end = stringEnd(buf, p + 1)
      if (depth === 1 && start < 0) key = decodeString(buf, p + 1, end)
      p = end
    } else if (c === 0x7b || c === 0x5b) depth++
    else if (c === 0x3a && depth === 1) start = p + 1
    else if (c === 0x7d || c === 0x5d || c === 0x2c) {
      if (depth === 1 && c !== 0x5d && start >= 0) {
        if (key === name) return buf.subarray(start, p)
        start = -1
      }
      if (c !== 0x2c && --depth === 0) return null
    }
  }
  return null
}

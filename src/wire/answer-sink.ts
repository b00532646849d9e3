import type { BlockKind } from '#words/content.ts'

/** Takes what an answer says, in the order in which it says it. */
export type AnswerSink = {
  readonly told: {
    inputTokens: number
    outputTokens: number
    stopReason: string
    responseId: string
    model: string
  }
  /** Text of a block, whole or the next piece of it. */
  text(block: string, kind: BlockKind, text: string): void
  /** Nothing more comes for this block. */
  done(block: string): void
  /** The blocks whose names start so were an earlier copy of this one, which is whole. */
  copied(earlier: string, block: string): void
}

export type Fields = Readonly<Record<string, unknown>>

export function fields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {}
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function word(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function count(value: unknown, before: number): number {
  return typeof value === 'number' && value >= 0 ? value : before
}

/** Every string inside a value, keys too: what has no place of its own is read all the same. */
export function everyString(value: unknown, take: (text: string) => void, depth = 0): void {
  if (typeof value === 'string') take(value)
  else if (typeof value !== 'object' || value === null || depth > 64) return
  else if (Array.isArray(value)) for (const item of value) everyString(item, take, depth + 1)
  else {
    for (const [key, item] of Object.entries(value)) {
      take(key)
      everyString(item, take, depth + 1)
    }
  }
}

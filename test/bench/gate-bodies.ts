/** Bodies as coding agents send them: code, tool calls and their results, never one twice. */
import { randomBytes } from 'node:crypto'

/** Pause between two events of the provider's stream, milliseconds. */
export const paceMs = 10

/** Pieces of JSON string content, already escaped. */
const fragments: readonly string[] = Array.from({ length: 512 }, (_, at) => fragment(at))

let state = randomBytes(4).readUInt32LE()
/** xorshift32: chance costs nothing beside the work that is measured. */
function chance(below: number): number {
  state ^= state << 13
  state ^= state >>> 17
  state ^= state << 5
  return (state >>> 0) % below
}

function fragment(at: number): string {
  const lines: string[] = []
  for (let line = 0; line < 24; line++) {
    const name = `value${((at * 31 + line * 7) % 997).toString(36)}`
    lines.push(
      line % 6 === 0
        ? `// Keeps ${name} between two requests; "null" until the first one came in.`
        : `\tconst ${name} = await store.get({ id: "${name}-${at}", limit: ${line * 16} }) ?? []`,
    )
  }
  return JSON.stringify(`${lines.join('\n')}\n`).slice(1, -1)
}

/** About `bytes` of JSON string content that no other call returned. */
function content(bytes: number): string {
  let text = `run ${randomBytes(9).toString('hex')} `
  while (text.length < bytes) {
    text += fragments[chance(fragments.length)]
    if (chance(4) === 0) text += `line ${chance(1 << 30)}: ok\\n`
  }
  return bytes < 600 ? text.slice(0, bytes).replace(/\\+[^\\]?$/, '') : text
}

const opening =
  '{"model":"claude-sonnet-4-5","max_tokens":32000,"system":[{"type":"text","text":"You are a coding agent.","cache_control":{"type":"ephemeral"}}],"tools":[{"name":"Bash","description":"Runs a command","input_schema":{"type":"object","properties":{"command":{"type":"string"}},"required":["command"]}}],"stream":'

function turn(bytes: number): string {
  const id = randomBytes(8).toString('hex')
  return (
    `,{"role":"assistant","content":[{"type":"text","text":"I look at it."},{"type":"tool_use","id":"toolu_${id}","name":"Bash","input":{"command":"cat src/${id}.ts"}}]}` +
    `,{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_${id}","content":"${content(bytes)}"}]}`
  )
}

export type Kind = 'growing' | 'fresh'

/**
 * One client's requests. `growing`: each body starts with the one before and is 5 to 20 kB longer
 * (in proportion below 100 kB), from half of `bytes` to one and a half times, then a new
 * conversation. `fresh`: no body was ever seen before.
 */
export class Talk {
  readonly #kind: Kind
  readonly #bytes: number
  readonly #stream: boolean
  #messages = ''

  constructor(kind: Kind, bytes: number, stream: boolean) {
    this.#kind = kind
    this.#bytes = bytes
    this.#stream = stream
  }

  next(): Buffer {
    const bytes = this.#bytes
    if (this.#kind === 'fresh') {
      this.#messages = first(bytes * 0.5)
      while (this.#messages.length < bytes - opening.length) {
        this.#messages += turn(Math.min(8_000, bytes * 0.2))
      }
    } else if (this.#messages === '' || this.#messages.length > bytes * 1.5) {
      this.#messages = first(bytes * 0.5)
    } else {
      const step = bytes >= 100_000 ? 5_000 + chance(15_000) : bytes * (0.05 + chance(15) / 100)
      this.#messages += turn(step)
    }
    return Buffer.from(`${opening}${this.#stream},"messages":[${this.#messages}]}`)
  }
}

function first(bytes: number): string {
  return `{"role":"user","content":[{"type":"text","text":"${content(Math.max(100, bytes))}"}]}`
}

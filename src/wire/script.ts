import { fields, list, word } from './answer-sink.ts'
import type { Fields } from './answer-sink.ts'

/** What a scripted model answers. */
export type Step =
  | {
      readonly kind: 'text'
      readonly text: string
      /** In how many deltas the text is streamed; by default one. */
      readonly chunks?: number
      /** Pause between deltas, milliseconds. */
      readonly pauseMs?: number
    }
  /** Calls a tool of the request that reads a file or runs a command; plain text if none does. */
  | { readonly kind: 'tool'; readonly want: 'read' | 'command'; readonly argument: string }
  | { readonly kind: 'error'; readonly status: number; readonly message: string }
  | { readonly kind: 'malformed'; readonly how: 'not-json' | 'cut-off' | 'not-events' }

/** One request for an answer, as a script sees it. */
export type Asked = {
  readonly wire: 'anthropic-messages' | 'openai-responses'
  readonly request: Fields
  readonly stream: boolean
  readonly model: string
  readonly tools: readonly OfferedTool[]
  /** The conversation holds the result of a tool call already. */
  readonly hasToolResult: boolean
  /** 0 for the first answer of this provider. */
  readonly index: number
}

export type OfferedTool = {
  readonly name: string
  readonly type: string
  readonly properties: Fields
}

export type Script = (asked: Asked) => Step

export const plainAnswer = 'Hello from the sample provider. POSTERN_OK'

/** Answers everything with the same text. */
export function sayScript(text: string = plainAnswer): Script {
  return () => ({ kind: 'text', text })
}

/** Calls a tool once, then says the text. */
export function toolScript(want: 'read' | 'command', argument: string, text?: string): Script {
  return ({ hasToolResult, tools }) =>
    hasToolResult || tools.length === 0
      ? { kind: 'text', text: text ?? plainAnswer }
      : { kind: 'tool', want, argument }
}

export function asked(
  wire: Asked['wire'],
  request: Fields,
  index: number,
  streamed: boolean,
): Asked {
  const history = JSON.stringify(
    request[wire === 'anthropic-messages' ? 'messages' : 'input'] ?? '',
  )
  return {
    wire,
    request,
    stream: streamed || request['stream'] === true,
    model: word(request['model']),
    tools: flatTools(list(request['tools'])),
    hasToolResult: /"type":"(?:tool_result|[a-z_]+_output)"/.test(history),
    index,
  }
}

/** Tools may stand in namespaces, and their schema under three names. */
function flatTools(tools: readonly unknown[]): OfferedTool[] {
  return tools.flatMap((entry) => {
    const tool = fields(entry)
    if (tool['type'] === 'namespace') return flatTools(list(tool['tools']))
    const schema = fields(tool['input_schema'] ?? tool['parameters'])
    const type = word(tool['type'])
    return [{ name: word(tool['name']) || type, type, properties: fields(schema['properties']) }]
  })
}

export type ToolCall = { readonly name: string; readonly type: string; readonly input: Fields }

const readers = ['Read', 'read_file', 'read', 'view']
const runners = [
  'Bash',
  'exec_command',
  'shell',
  'shell_command',
  'local_shell',
  'bash',
  'run_shell_command',
]

/** Fills in the first offered tool that can do it: real clients differ in names and arguments. */
export function callTool(
  tools: readonly OfferedTool[],
  want: 'read' | 'command',
  argument: string,
): ToolCall | null {
  const names = want === 'read' ? [...readers, ...runners] : runners
  for (const name of names) {
    const tool = tools.find((offered) => offered.name === name)
    if (tool === undefined) continue
    const command = want === 'read' && runners.includes(name) ? `cat ${argument}` : argument
    const input = inputOf(tool, argument, command)
    if (input !== null) return { name, type: tool.type, input }
  }
  return null
}

function inputOf(tool: OfferedTool, argument: string, command: string): Fields | null {
  const { properties } = tool
  if (tool.type === 'local_shell')
    return { type: 'exec', command: ['bash', '-lc', command], env: {} }
  for (const key of ['file_path', 'filePath', 'absolute_path', 'path']) {
    if (properties[key] !== undefined) return { [key]: argument }
  }
  if (properties['cmd'] !== undefined) return { cmd: command }
  const shape = properties['command']
  if (shape === undefined) return null
  const isList = fields(shape)['type'] === 'array'
  return {
    command: isList ? ['bash', '-lc', command] : command,
    ...(properties['description'] === undefined ? {} : { description: 'sample command' }),
  }
}

/** The text in `chunks` pieces of nearly equal length, never cut inside a surrogate pair. */
export function pieces(text: string, chunks: number): string[] {
  const letters = Array.from(text)
  const size = Math.max(1, Math.ceil(letters.length / Math.max(1, chunks)))
  const out: string[] = []
  for (let at = 0; at < letters.length; at += size) out.push(letters.slice(at, at + size).join(''))
  return out.length === 0 ? [''] : out
}

import { readFileSync, statSync } from 'node:fs'
import { isAlias, isMap, isNode, isPair, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Document, Node } from 'yaml'
import type { z } from 'zod'
import type { FaultCode } from '#words/fault-codes.ts'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { instead } from './near.ts'
import { allowedKeys } from './schema-walk.ts'

export type Place = readonly (string | number)[]

/** One thing that is wrong in a file: `register/a.yaml:7:3: what is wrong; what to write instead`. */
export type Problem = {
  readonly file: string
  readonly line: number
  readonly column: number
  readonly words: string
}

export type YamlFile<Value> = {
  readonly file: string
  readonly value: Value
  /** A problem at the value (or, with `key`, the key) that stands at `place`. */
  problem(place: Place, words: string): Problem
}

const problemsShownMax = 20

/**
 * Reads one YAML 1.2 file against a schema.
 *
 * Throws `code` with every problem in the file, each with line, column and what to write instead.
 * Anchors and aliases are refused: a file that is reviewed line by line must say what it says where
 * it says it, and an alias bomb cannot be written without them.
 */
export function readYamlFile<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  code: FaultCode,
  /** How the file is named in messages; by default `path`. */
  name: string = path,
): YamlFile<z.infer<Schema>> {
  const size = fileSize(path, code, name)
  if (size > limits.registerFileBytesMax) {
    throw new Fault(code, {
      outward: `${name}: the file has ${size} bytes; at most ${limits.registerFileBytesMax} are read`,
    })
  }
  return parseYaml(readFileSync(path, 'utf8'), schema, code, name)
}

export function parseYaml<Schema extends z.ZodType>(
  text: string,
  schema: Schema,
  code: FaultCode,
  name: string,
): YamlFile<z.infer<Schema>> {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    version: '1.2',
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    strict: true,
  })
  const at = (offset: number, words: string): Problem => {
    const position = lines.linePos(offset)
    return {
      file: name,
      line: Math.max(1, position.line),
      column: Math.max(1, position.col),
      words,
    }
  }
  const problem = (place: Place, words: string): Problem => at(offsetOf(document, place), words)

  const broken = document.errors.map((error) =>
    at(error.pos[0], yamlWords(error.code, error.message)),
  )
  throwProblems(code, broken)
  const anchored = findAnchor(document.contents)
  if (anchored !== null) {
    const words = 'anchors and aliases are not read here; write the value out'
    throwProblems(code, [at(anchored.range?.[0] ?? 0, words)])
  }

  const value: unknown = document.toJS({ maxAliasCount: 0 })
  const parsed = schema.safeParse(value ?? {})
  if (!parsed.success) {
    const issues = [...parsed.error.issues].sort((a, b) => rank(a) - rank(b))
    throwProblems(
      code,
      issues.flatMap((issue) => issueProblems(document, schema, issue, at)),
    )
  }
  return { file: name, value: parsed.data as z.infer<Schema>, problem }
}

/** A misspelt key comes first: it is why another one is missing. */
function rank(issue: z.core.$ZodIssue): number {
  return issue.code === 'unrecognized_keys' ? 0 : 1
}

/** Throws one fault that lists the problems, if there are any. */
export function throwProblems(code: FaultCode, problems: readonly Problem[]): void {
  if (problems.length === 0) return
  const shown = problems
    .slice(0, problemsShownMax)
    .map((one) => `${one.file}:${one.line}:${one.column}: ${one.words}`)
  if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`)
  throw new Fault(code, { outward: shown.join('\n') })
}

function fileSize(path: string, code: FaultCode, name: string): number {
  try {
    return statSync(path).size
  } catch (cause) {
    throw new Fault(code, { outward: `${name}: the file cannot be read`, cause })
  }
}

function findAnchor(node: unknown): Node | null {
  if (!isNode(node)) return null
  if (isAlias(node) || ('anchor' in node && node.anchor !== undefined)) return node
  if (isMap(node)) {
    for (const pair of node.items) {
      const found = findAnchor(pair.key) ?? findAnchor(pair.value)
      if (found !== null) return found
    }
  }
  if (isSeq(node)) {
    for (const item of node.items) {
      const found = findAnchor(item)
      if (found !== null) return found
    }
  }
  return null
}

function issueProblems(
  document: Document,
  schema: z.ZodType,
  issue: z.core.$ZodIssue,
  at: (offset: number, words: string) => Problem,
): Problem[] {
  const place = issue.path.map((step) => (typeof step === 'symbol' ? step.toString() : step))
  if (issue.code === 'unrecognized_keys') {
    const known = allowedKeys(schema, place, plain(document.getIn(place)))
    return issue.keys.map((key) =>
      at(keyOffset(document, place, key), `there is no \`${key}\` here; ${instead(key, known)}`),
    )
  }
  const found: unknown = place.length === 0 ? document.contents : document.getIn(place)
  const offset = offsetOf(document, place)
  const name = nameOf(place)
  if (found === undefined && issue.code !== 'custom') {
    return [at(offset, `${name} is missing; add it${wanted(issue)}`)]
  }
  if (issue.code === 'invalid_value') {
    const values = issue.values.map(String)
    return [at(offset, `${name} cannot be \`${sample(found)}\`; ${instead(sample(found), values)}`)]
  }
  if (issue.code === 'invalid_type') {
    return [
      at(offset, `${name} is not ${article(issue.expected)}; write ${article(issue.expected)}`),
    ]
  }
  if (issue.code === 'invalid_union') {
    const options = 'options' in issue && Array.isArray(issue.options) ? issue.options : null
    if (options !== null) {
      return [at(offset, `${name}: ${instead(sample(found), options.map(String))}`)]
    }
    // The branch that came furthest says best what was meant.
    const branch = [...issue.errors].sort((a, b) => depth(b) - depth(a))[0] ?? []
    const inner = branch.flatMap((one) =>
      issueProblems(document, schema, { ...one, path: [...place, ...one.path] }, at),
    )
    if (inner.length > 0) return inner
  }
  if (issue.code === 'too_big' || issue.code === 'too_small') {
    return [at(offset, `${name} ${boundWords(issue)}`)]
  }
  return [at(offset, `${name}: ${issue.message}`)]
}

function nameOf(place: Place): string {
  const last = place.at(-1) ?? 'the file'
  const key = place.findLast((step) => typeof step === 'string')
  if (typeof last === 'string') return `\`${last}\``
  return key === undefined ? `item ${last + 1}` : `item ${last + 1} of \`${key}\``
}

function boundWords(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): string {
  const bound = issue.code === 'too_big' ? `at most ${issue.maximum}` : `at least ${issue.minimum}`
  if (issue.origin === 'string') return `must have ${bound} characters`
  if (issue.origin === 'array' || issue.origin === 'set') return `must have ${bound} items`
  return `must be ${bound}`
}

function depth(issues: readonly z.core.$ZodIssue[]): number {
  return issues.reduce((most, issue) => Math.max(most, issue.path.length), 0)
}

function wanted(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_value') return ` (one of: ${issue.values.map(String).join(', ')})`
  if (issue.code === 'invalid_type') return ` (${article(issue.expected)})`
  return ''
}

const articles: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'a group of keys',
  record: 'a group of keys',
}

function article(expected: string): string {
  return articles[expected] ?? `a ${expected}`
}

function plain(value: unknown): unknown {
  return isNode(value) ? value.toJSON() : value
}

function sample(value: unknown): string {
  const text = plain(value)
  return (typeof text === 'string' ? text : JSON.stringify(text)).slice(0, 60)
}

/** Start of the value at the place, or of the nearest thing around it that is there. */
function offsetOf(document: Document, place: Place): number {
  for (let length = place.length; length >= 0; length--) {
    const node: unknown = document.getIn(place.slice(0, length), true)
    if (isNode(node) && node.range) return node.range[0]
  }
  return 0
}

function keyOffset(document: Document, place: Place, key: string): number {
  const map: unknown = place.length === 0 ? document.contents : document.getIn(place, true)
  if (isMap(map)) {
    for (const pair of map.items) {
      if (isPair(pair) && isNode(pair.key) && pair.key.range && plain(pair.key) === key) {
        return pair.key.range[0]
      }
    }
  }
  return offsetOf(document, place)
}

function yamlWords(code: string, message: string): string {
  const first = (message.split('\n')[0] ?? message).replace(/\s+at line .*$/, '')
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key stands twice in the same group; keep one of them'
    case 'TAB_AS_INDENT':
      return 'a tab cannot indent YAML; use spaces'
    case 'BAD_INDENT':
      return `${first}; line this up with the keys above it`
    default:
      return `this is not YAML: ${first}; put texts that hold \`:\` or \`#\` into quotes`
  }
}

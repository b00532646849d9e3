import type { CedarValueJson, Expr } from '@cedar-policy/cedar-wasm/nodejs'
import { CedarError, CedarSet, Entity, isRecord, long, same } from './cedar-value.ts'
import type { CedarRecord, CedarValue, EntityData } from './cedar-value.ts'
import { compileLike } from './compile-like.ts'

export type Request = {
  readonly principal: Entity
  readonly action: Entity
  readonly resource: Entity
  readonly context: CedarRecord
  /** Finds what the request says about an entity that a policy names. */
  readonly find: (type: string, id: string) => EntityData | null
}

export type Evaluate = (request: Request) => CedarValue

/** Thrown while compiling; `token` is what to look for in the text, to name the line. */
export class OutsideSubset extends Error {
  readonly construct: string
  readonly token: string
  constructor(construct: string, token: string) {
    super(construct)
    this.construct = construct
    this.token = token
  }
}

type Pair = { readonly left: Expr; readonly right: Expr }
type Node = Readonly<Record<string, unknown>>

/**
 * One node of Cedar's JSON syntax tree to one closure. Every branch gives the value that Cedar
 * gives, or throws `CedarError` where Cedar reports an error; there is no third way.
 */
export function compileExpression(expression: Expr): Evaluate {
  const [kind, body] = Object.entries(expression as Node)[0] ?? ['nothing', null]
  switch (kind) {
    case 'Value':
      return constant(body as CedarValueJson)
    case 'Var':
      return variable(body as string)
    case '&&':
    case '||':
      return logic(kind, body as Pair)
    case '!': {
      const argument = truth(compileExpression((body as { arg: Expr }).arg))
      return (request) => !argument(request)
    }
    case '==':
    case '!=':
      return equality(kind === '==', body as Pair)
    case '<':
    case '<=':
    case '>':
    case '>=':
      return comparison(kind, body as Pair)
    case '+':
    case '-':
    case '*':
      return arithmetic(kind, body as Pair)
    case 'neg': {
      const argument = compileExpression((body as { arg: Expr }).arg)
      return (request) => long(-BigInt(wholeNumber(argument(request))))
    }
    case '.':
      return attribute(body as { left: Expr; attr: string })
    case 'has':
      return has(body as { left: Expr; attr: string | readonly string[] })
    case 'in':
      return within(body as Pair)
    case 'is':
      return isType(body as { left: Expr; entity_type: string; in?: Expr })
    case 'like':
      return compileLike(
        compileExpression((body as { left: Expr }).left),
        (body as { pattern: readonly ('Wildcard' | { Literal: string })[] }).pattern,
      )
    case 'contains':
    case 'containsAll':
    case 'containsAny':
      return containment(kind, body as Pair)
    case 'isEmpty': {
      const argument = compileExpression((body as { arg: Expr }).arg)
      return (request) => setOf(argument(request)).items.length === 0
    }
    case 'if-then-else':
      return choice(body as { if: Expr; then: Expr; else: Expr })
    case 'Set':
      return setLiteral(body as readonly Expr[])
    case 'Record':
      return recordLiteral(body as Readonly<Record<string, Expr>>)
    default:
      throw new OutsideSubset(`\`${kind}\``, kind === 'Slot' ? '?' : kind)
  }
}

function constant(json: CedarValueJson): Evaluate {
  const value = constantValue(json)
  return () => value
}

export function constantValue(json: CedarValueJson): CedarValue {
  if (typeof json === 'boolean' || typeof json === 'string') return json
  if (typeof json === 'number') {
    // The parser hands Longs over as doubles: beyond 2^53 the digits are already lost.
    if (!Number.isSafeInteger(json)) throw new OutsideSubset('an integer beyond 2^53', '')
    return json
  }
  if (Array.isArray(json)) return new CedarSet(json.map(constantValue))
  if (json !== null && '__entity' in json) {
    const { type, id } = json.__entity as { type: string; id: string }
    return new Entity(type, id)
  }
  if (json === null || '__extn' in json) throw new OutsideSubset('an extension value', '')
  const record: Record<string, CedarValue> = Object.create(null) as Record<string, CedarValue>
  for (const [key, member] of Object.entries(json)) record[key] = constantValue(member)
  return record
}

function variable(name: string): Evaluate {
  switch (name) {
    case 'principal':
      return (request) => request.principal
    case 'action':
      return (request) => request.action
    case 'resource':
      return (request) => request.resource
    case 'context':
      return (request) => request.context
    default:
      throw new OutsideSubset(`the variable ${name}`, name)
  }
}

function truth(evaluate: Evaluate): (request: Request) => boolean {
  return (request) => {
    const value = evaluate(request)
    if (typeof value !== 'boolean') throw new CedarError('expected a boolean')
    return value
  }
}

function logic(kind: '&&' | '||', pair: Pair): Evaluate {
  const left = truth(compileExpression(pair.left))
  const right = truth(compileExpression(pair.right))
  return kind === '&&'
    ? (request) => left(request) && right(request)
    : (request) => left(request) || right(request)
}

function equality(equal: boolean, pair: Pair): Evaluate {
  const left = compileExpression(pair.left)
  const right = compileExpression(pair.right)
  return (request) => same(left(request), right(request)) === equal
}

export function wholeNumber(value: CedarValue): number | bigint {
  if (typeof value !== 'number' && typeof value !== 'bigint')
    throw new CedarError('expected a Long')
  return value
}

function comparison(kind: '<' | '<=' | '>' | '>=', pair: Pair): Evaluate {
  const left = compileExpression(pair.left)
  const right = compileExpression(pair.right)
  // JavaScript compares number with bigint by value, without rounding (ECMA-262, IsLessThan).
  const compare = {
    '<': (a: number | bigint, b: number | bigint) => a < b,
    '<=': (a: number | bigint, b: number | bigint) => a <= b,
    '>': (a: number | bigint, b: number | bigint) => a > b,
    '>=': (a: number | bigint, b: number | bigint) => a >= b,
  }[kind]
  return (request) => {
    const a = left(request)
    const b = right(request)
    return compare(wholeNumber(a), wholeNumber(b))
  }
}

function arithmetic(kind: '+' | '-' | '*', pair: Pair): Evaluate {
  const left = compileExpression(pair.left)
  const right = compileExpression(pair.right)
  return (request) => {
    const a = wholeNumber(left(request))
    const b = wholeNumber(right(request))
    if (typeof a === 'number' && typeof b === 'number') {
      const short = kind === '+' ? a + b : kind === '-' ? a - b : a * b
      // `+ 0` makes -0, which Cedar does not have, into 0.
      if (Number.isSafeInteger(short)) return short + 0
    }
    const x = BigInt(a)
    const y = BigInt(b)
    return long(kind === '+' ? x + y : kind === '-' ? x - y : x * y)
  }
}

/** Names that every JavaScript object answers to, so that `undefined` does not tell absence. */
const inherited: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype))

function member(name: string): (record: CedarRecord) => CedarValue | undefined {
  return inherited.has(name)
    ? (record) => (Object.hasOwn(record, name) ? record[name] : undefined)
    : (record) => record[name]
}

/** The attributes of a value, or null for an entity of which nothing is known. */
function attributesOf(value: CedarValue, request: Request): CedarRecord | null {
  if (value instanceof Entity) {
    const data = value.data ?? request.find(value.type, value.id)
    return data === null ? null : data.attributes
  }
  if (!isRecord(value)) throw new CedarError('expected a record or an entity')
  return value
}

function attribute(node: { readonly left: Expr; readonly attr: string }): Evaluate {
  const read = member(node.attr)
  if ('Var' in node.left && node.left.Var === 'context') {
    return (request) => present(read(request.context), node.attr)
  }
  const left = compileExpression(node.left)
  return (request) => {
    const attributes = attributesOf(left(request), request)
    if (attributes === null) throw new CedarError('the entity is not known')
    return present(read(attributes), node.attr)
  }
}

function present(value: CedarValue | undefined, name: string): CedarValue {
  if (value === undefined) throw new CedarError(`there is no attribute ${name}`)
  return value
}

function has(node: { readonly left: Expr; readonly attr: string | readonly string[] }): Evaluate {
  const left = compileExpression(node.left)
  const path = (typeof node.attr === 'string' ? [node.attr] : node.attr).map(member)
  return (request) => {
    let value = left(request)
    for (let at = 0; at < path.length; at++) {
      const attributes = attributesOf(value, request)
      const next = attributes === null ? undefined : path[at]!(attributes)
      if (next === undefined) return false
      value = next
    }
    return true
  }
}

/** Cedar's `in`: the entity itself or any of its ancestors. */
export function isIn(entity: Entity, above: Entity, request: Request): boolean {
  if (entity.id === above.id && entity.type === above.type) return true
  const data = entity.data ?? request.find(entity.type, entity.id)
  if (data === null) return false
  for (let at = 0; at < data.ancestors.length; at++) {
    const ancestor = data.ancestors[at]!
    if (ancestor.id === above.id && ancestor.type === above.type) return true
  }
  return false
}

function inValue(left: CedarValue, right: CedarValue, request: Request): boolean {
  if (!(left instanceof Entity)) throw new CedarError('expected an entity')
  if (right instanceof Entity) return isIn(left, right, request)
  let found = false
  for (const item of setOf(right).items) {
    // Cedar looks at the type of each element before it looks for any.
    if (!(item instanceof Entity)) throw new CedarError('expected a set of entities')
    if (!found && isIn(left, item, request)) found = true
  }
  return found
}

function within(pair: Pair): Evaluate {
  const left = compileExpression(pair.left)
  const right = compileExpression(pair.right)
  return (request) => inValue(left(request), right(request), request)
}

function isType(node: { readonly left: Expr; readonly entity_type: string; in?: Expr }): Evaluate {
  const left = compileExpression(node.left)
  const above = node.in === undefined ? null : compileExpression(node.in)
  return (request) => {
    const value = left(request)
    if (!(value instanceof Entity)) throw new CedarError('expected an entity')
    if (value.type !== node.entity_type) return false
    return above === null || inValue(value, above(request), request)
  }
}

export function setOf(value: CedarValue): CedarSet {
  if (!(value instanceof CedarSet)) throw new CedarError('expected a set')
  return value
}

function containment(kind: 'contains' | 'containsAll' | 'containsAny', pair: Pair): Evaluate {
  const left = compileExpression(pair.left)
  const right = compileExpression(pair.right)
  if (kind === 'contains') {
    return (request) => {
      const set = left(request)
      const value = right(request)
      return setOf(set).has(value)
    }
  }
  const all = kind === 'containsAll'
  return (request) => {
    const set = left(request)
    const other = right(request)
    const items = setOf(set)
    if (all) return items.hasAll(setOf(other))
    for (const item of setOf(other).items) if (items.has(item)) return true
    return false
  }
}

function choice(node: { readonly if: Expr; readonly then: Expr; readonly else: Expr }): Evaluate {
  const guard = truth(compileExpression(node.if))
  const yes = compileExpression(node.then)
  const no = compileExpression(node.else)
  return (request) => (guard(request) ? yes(request) : no(request))
}

function setLiteral(items: readonly Expr[]): Evaluate {
  if (items.every((item) => 'Value' in item)) {
    const fixed = new CedarSet(items.map((item) => constantValue((item as { Value: never }).Value)))
    return () => fixed
  }
  const parts = items.map(compileExpression)
  return (request) => new CedarSet(parts.map((part) => part(request)))
}

function recordLiteral(members: Readonly<Record<string, Expr>>): Evaluate {
  const parts = Object.entries(members).map(
    ([name, value]) => [name, compileExpression(value)] as const,
  )
  return (request) => {
    const record: Record<string, CedarValue> = Object.create(null) as Record<string, CedarValue>
    for (const [name, value] of parts) record[name] = value(request)
    return record
  }
}

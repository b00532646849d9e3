import type { CedarValueJson, Expr } from '@cedar-policy/cedar-wasm/nodejs'

/** A clause as Cedar text again, for people; brackets around everything that is not a leaf. */
export function expressionText(expression: Expr): string {
  const [kind, body] = Object.entries(expression as Readonly<Record<string, unknown>>)[0] ?? ['', 0]
  const node = body as {
    left: Expr
    right: Expr
    arg: Expr
    attr: string | readonly string[]
    pattern: readonly ('Wildcard' | { Literal: string })[]
    entity_type: string
    in?: Expr
    if: Expr
    then: Expr
    else: Expr
  }
  const inner = (one: Expr): string => {
    const text = expressionText(one)
    return /^[\w.":]+$|^".*"$|^\[.*\]$/.test(text) ? text : `(${text})`
  }
  switch (kind) {
    case 'Value':
      return valueText(body as CedarValueJson)
    case 'Var':
      return body as string
    case '!':
      return `!${inner(node.arg)}`
    case 'neg':
      return `-${inner(node.arg)}`
    case '.':
      return `${inner(node.left)}.${String(node.attr)}`
    case 'has':
      return `${inner(node.left)} has ${[node.attr].flat().join('.')}`
    case 'like':
      return `${inner(node.left)} like "${node.pattern.map((part) => (part === 'Wildcard' ? '*' : part.Literal.replace('*', '\\*'))).join('')}"`
    case 'is':
      return `${inner(node.left)} is ${node.entity_type}${node.in ? ` in ${inner(node.in)}` : ''}`
    case 'if-then-else':
      return `if ${inner(node.if)} then ${inner(node.then)} else ${inner(node.else)}`
    case 'Set':
      return `[${(body as Expr[]).map(expressionText).join(', ')}]`
    case 'Record':
      return `{${Object.entries(body as Record<string, Expr>)
        .map(([name, value]) => `${name}: ${expressionText(value)}`)
        .join(', ')}}`
    case 'contains':
    case 'containsAll':
    case 'containsAny':
      return `${inner(node.left)}.${kind}(${expressionText(node.right)})`
    case 'isEmpty':
      return `${inner(node.arg)}.isEmpty()`
    default:
      return `${inner(node.left)} ${kind} ${inner(node.right)}`
  }
}

function valueText(value: CedarValueJson): string {
  if (value !== null && typeof value === 'object' && '__entity' in value) {
    const { type, id } = value.__entity as { type: string; id: string }
    return `${type}::${JSON.stringify(id)}`
  }
  return JSON.stringify(value)
}

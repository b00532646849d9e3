/**
 * Random Cedar policies and requests, for the comparison with cedar-wasm. Mostly well-typed, so
 * that policies get deep into their clauses, and wrong on purpose in one node of fifty.
 */
export type Random = { next(): number; below(bound: number): number; pick<T>(of: readonly T[]): T }

/** mulberry32: small, seeded, the same on every machine. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return { next, below, pick: (of) => of[below(of.length)]! }
}

type Kind = 'bool' | 'long' | 'string' | 'set' | 'entity' | 'record'
const kinds: readonly Kind[] = ['bool', 'long', 'string', 'set', 'entity', 'record']
const attributes: Readonly<Record<Kind, readonly string[]>> = {
  bool: ['flag', 'on'],
  long: ['n', 'big'],
  string: ['s', 'constructor', 'toString', '__proto__'],
  set: ['tags', 'mixed'],
  entity: ['owner', 'friend'],
  record: ['r', 'deep'],
}
const strings = ['', 'a', 'ab', 'a*b', 'é😀', 'unknown', '*', 'x\\y', '"q"'] as const
const longs = [
  0, 0, 1, 1, 2, -1, 7, 3_037_000_500, 3_037_000_500, 9_007_199_254_740_991, -9_007_199_254_740_991,
] as const
const entities = ['u', 'v'].flatMap((id) =>
  ['User', 'Group', 'App::Thing'].map((type) => ({ type, id })),
)

const cedarString = (text: string) => JSON.stringify(text)
const entityText = ({ type, id }: { type: string; id: string }) => `${type}::${cedarString(id)}`

function expression(random: Random, wanted: Kind, depth: number): string {
  const kind = random.below(50) === 0 ? random.pick(kinds) : wanted
  if (depth <= 0 || random.below(6) === 0) return leaf(random, kind)
  const sub = (of: Kind) => expression(random, of, depth - 1)
  if (random.below(14) === 0) return `(if ${sub('bool')} then ${sub(kind)} else ${sub(kind)})`
  switch (kind) {
    case 'bool':
      return boolean(random, sub)
    case 'long':
      return random.below(7) === 0
        ? `(-(${sub('long')}))`
        : `(${sub('long')} ${random.pick(['+', '-', '*'])} ${sub('long')})`
    case 'set': {
      const of = random.pick(kinds)
      const items = Array.from({ length: random.below(4) }, () => sub(of))
      return `[${items.join(', ')}]`
    }
    case 'record':
      return `{${attribute(random, 'long')}: ${sub('long')}, "q z": ${sub('set')}}`
    default:
      return access(random, kind, depth)
  }
}

function boolean(random: Random, sub: (of: Kind) => string): string {
  const any = random.pick(kinds)
  if (random.below(4) === 0) return near(random)
  switch (random.below(14)) {
    case 0:
    case 1:
      return `(${sub('bool')} && ${sub('bool')})`
    case 2:
    case 3:
      return `(${sub('bool')} || ${sub('bool')})`
    case 4:
      return `!(${sub('bool')})`
    case 5:
      return `(${sub(any)} ${random.pick(['==', '!='])} ${sub(any)})`
    case 6:
      return `(${sub('long')} ${random.pick(['<', '<=', '>', '>='])} ${sub('long')})`
    case 7:
      return `(${sub(random.pick(['entity', 'record']))} has ${hasPath(random)})`
    case 8:
      return `(${sub('entity')} in ${sub('entity')})`
    case 9:
      return `(${sub('entity')} in [${sub('entity')}, ${sub('entity')}])`
    case 10:
      return `(${sub('entity')} is ${random.pick(['User', 'Group', 'App::Thing'])}${random.below(2) ? ` in ${sub('entity')}` : ''})`
    case 11:
      return `(${sub('string')} like ${random.pick(['"*"', '"a*"', '"*b"', '"a\\*b"', '"*a*b*"', '""', '"é*"'])})`
    case 12:
      return `(${sub('set')}).${random.pick(['contains', 'containsAll', 'containsAny'])}(${sub(random.below(3) ? 'set' : any)})`
    default:
      return `(${sub('set')}).isEmpty()`
  }
}

const nearLongs = ['0', '1', '2', '(1 + 1)', '(2 - 1)', '(2 * 1)', '(-(1))', '(-1 * 0)']
const nearValues = (
  '[] [1] [1,2] [2,1] [1,1] ["1"] [[1],[]] [[],[1]] [{}] ' +
  '{} {n:1} {n:1,s:"a"} {s:"a",n:1} {n:"1"} {n:[1,2]} {n:[2,1]}'
).split(' ')

/** Values that are alike or almost: chance alone hardly ever compares two of them. */
function near(random: Random): string {
  switch (random.below(4)) {
    case 0: {
      const operator = random.pick(['==', '!=', '<', '<=', '>', '>='])
      return `(${random.pick(nearLongs)} ${operator} ${random.pick(nearLongs)})`
    }
    case 1:
    case 2:
      return `(${random.pick(nearValues)} ${random.pick(['==', '!='])} ${random.pick(nearValues)})`
    default: {
      const method = random.pick(['contains', 'containsAll', 'containsAny'])
      const sets = nearValues.filter((text) => text.startsWith('['))
      return `(${random.pick(sets)}).${method}(${random.pick(sets)})`
    }
  }
}

function attribute(random: Random, kind: Kind): string {
  return random.pick(attributes[kind])
}

function hasPath(random: Random): string {
  const first = attribute(random, random.pick(kinds))
  if (random.below(2) === 0) return first
  const path = ['owner', 'r', 'deep'][random.below(3)]!
  return `${path}.${first}`
}

function access(random: Random, kind: Kind, depth: number): string {
  const of = random.below(2) === 0 ? 'entity' : 'record'
  const base = expression(random, of, depth - 1)
  const name = attribute(random, kind)
  return random.below(2) === 0 ? `(${base}).${name}` : `(${base})[${cedarString(name)}]`
}

function leaf(random: Random, kind: Kind): string {
  if (random.below(3) === 0) {
    const base = random.pick(['context', 'context', 'principal', 'resource'])
    return `${base}[${cedarString(attribute(random, kind))}]`
  }
  switch (kind) {
    case 'bool':
      return random.pick(['true', 'false'])
    case 'long':
      return `(${random.pick(longs)})`
    case 'string':
      return cedarString(random.pick(strings))
    case 'set':
      return random.pick(['[]', '[1, 2]', '["a", "ab"]', '[[1], []]'])
    case 'entity':
      return random.below(3) === 0
        ? random.pick(['principal', 'resource', 'action'])
        : entityText(random.pick(entities))
    default:
      return random.pick(['context', '{}', '{s: "a"}', '{n: 1, r: {flag: true}}'])
  }
}

export function randomPolicy(random: Random, id: string): string {
  const scope = (name: string): string => {
    const type = random.pick(['User', 'Group', 'App::Thing'])
    const entity = entityText(random.pick(entities))
    switch (random.below(8)) {
      case 0:
        return `${name} == ${entity}`
      case 1:
        return `${name} in ${entity}`
      case 2:
        return `${name} is ${type}`
      case 3:
        return `${name} is ${type} in ${entity}`
      default:
        return name
    }
  }
  const action = random.pick([
    'action',
    'action == Action::"use"',
    'action in [Action::"use", Action::"other"]',
    'action in Action::"all"',
  ])
  const conditions = Array.from(
    { length: random.below(3) },
    () =>
      `${random.pick(['when', 'unless'])} { ${expression(random, 'bool', 1 + random.below(4))} }`,
  )
  return (
    `@id("${id}")\n${random.pick(['permit', 'forbid'])}` +
    `(${scope('principal')}, ${action}, ${scope('resource')})\n${conditions.join('\n')};`
  )
}

export type Plain = boolean | number | string | Plain[] | { [key: string]: Plain }

export function randomValue(random: Random, kind: Kind, depth: number): Plain {
  switch (kind) {
    case 'bool':
      return random.below(2) === 0
    case 'long':
      return random.pick(longs)
    case 'string':
      return random.pick(strings)
    case 'entity':
      return { __entity: random.pick(entities) }
    case 'set': {
      const of = depth > 0 ? random.pick(kinds) : random.pick(['long', 'string', 'entity'] as const)
      return Array.from({ length: random.below(4) }, () => randomValue(random, of, depth - 1))
    }
    default:
      return randomRecord(random, depth - 1)
  }
}

export function randomRecord(random: Random, depth: number): { [key: string]: Plain } {
  const members: [string, Plain][] = []
  for (const kind of kinds) {
    if (depth < 0 && kind === 'record') continue
    for (const name of attributes[kind]) {
      if (random.below(5) < 2) continue
      const shown = random.below(15) === 0 ? random.pick(kinds) : kind
      members.push([
        name,
        randomValue(random, depth < 0 && shown === 'record' ? 'long' : shown, depth),
      ])
    }
  }
  // `fromEntries` makes `__proto__` a member like any other.
  return Object.fromEntries(members)
}

export type EntityJson = {
  uid: { type: string; id: string }
  attrs: { [key: string]: Plain }
  parents: { type: string; id: string }[]
}

/** Some entities are missing; parents point only forward, so that there is no cycle. */
export function randomEntities(random: Random): EntityJson[] {
  const listed: EntityJson[] = []
  entities.forEach((uid, at) => {
    if (random.below(2) === 0) return
    const parents = entities.slice(at + 1).filter(() => random.below(4) === 0)
    listed.push({ uid, attrs: randomRecord(random, random.below(8) === 0 ? 1 : -1), parents })
  })
  if (random.below(2) === 0) {
    const parents = [{ type: 'Action', id: 'all' }]
    listed.push({ uid: { type: 'Action', id: 'use' }, attrs: {}, parents })
  }
  return listed
}

export function randomEntity(random: Random): { type: string; id: string } {
  return random.pick(entities)
}

import type { EntityUidJson, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { CedarError, Entity } from './cedar-value.ts'
import { compileExpression, isIn, OutsideSubset } from './compile-expression.ts'
import type { Evaluate, Request } from './compile-expression.ts'
import { invalid, readPolicies } from './policy-source.ts'
import type { PolicySource } from './policy-source.ts'

export type CompiledPolicy = {
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  /** Position in the set: the first forbid that holds is the one that a message quotes. */
  readonly order: number
  readonly annotations: Readonly<Record<string, string>>
  readonly source: PolicySource
  /** Throws `CedarError` where Cedar reports an evaluation error. */
  readonly holds: (request: Request) => boolean
}

/** Cedar's answer: `determining` and `errors` in the order of the set. */
export type Answer = {
  readonly allow: boolean
  readonly determining: readonly CompiledPolicy[]
  readonly errors: readonly CompiledPolicy[]
}

export type CompiledPolicies = {
  readonly policies: readonly CompiledPolicy[]
  authorize(request: Request): Answer
}

/**
 * Compiles Cedar texts to closures over a declared subset of the language.
 *
 * Fails with `policy-invalid` naming file, line and construct: what we do not compile exactly is
 * refused when the bundle is built, never guessed at. Kept equal to cedar-wasm by
 * `test/hostile/cedar-differential.test.ts`, and compared with it again at run time.
 */
export function compilePolicies(texts: Readonly<Record<string, string>>): CompiledPolicies {
  return policySet(readPolicies(texts).map((source, order) => compilePolicy(source, order)))
}

function compilePolicy(source: PolicySource, order: number): CompiledPolicy {
  const { json, id } = source
  try {
    return {
      id,
      effect: json.effect,
      order,
      annotations: json.annotations ?? {},
      source,
      holds: compileConditions(json),
    }
  } catch (error) {
    if (!(error instanceof OutsideSubset)) throw error
    const within = error.token === '' ? -1 : source.text.indexOf(error.token)
    const more = within < 0 ? 0 : source.text.slice(0, within).split('\n').length - 1
    throw invalid(
      source.file,
      source.line + more,
      `policy ${id} uses ${error.construct}, which is outside the Cedar subset that gates compile`,
    )
  }
}

/** Scope and conditions as one function: a list walked by a plain loop, cheapest tests first. */
export function compileConditions(json: PolicyJson): (request: Request) => boolean {
  const scope: ((request: Request) => boolean)[] = []
  for (const variable of ['action', 'resource', 'principal'] as const) {
    const test = compileScope(variable, json[variable])
    if (test !== null) scope.push(test)
  }
  const bodies: Evaluate[] = []
  const wanted: boolean[] = []
  for (const condition of json.conditions) {
    bodies.push(compileExpression(condition.body))
    wanted.push(condition.kind === 'when')
  }
  return (request) => {
    for (let at = 0; at < scope.length; at++) if (!scope[at]!(request)) return false
    for (let at = 0; at < bodies.length; at++) {
      const value = bodies[at]!(request)
      if (typeof value !== 'boolean') throw new CedarError('a condition is not a boolean')
      if (value !== wanted[at]) return false
    }
    return true
  }
}

function compileScope(
  variable: 'principal' | 'action' | 'resource',
  constraint: PolicyJson['principal'] | PolicyJson['action'] | PolicyJson['resource'],
): ((request: Request) => boolean) | null {
  switch (constraint.op) {
    case 'All':
      return null
    case '==': {
      const literal = scopeEntity(constraint)
      return (request) => {
        const entity = request[variable]
        return entity.id === literal.id && entity.type === literal.type
      }
    }
    case 'in': {
      if ('entities' in constraint) {
        const literals = constraint.entities.map(entityOf)
        return (request) => {
          for (let at = 0; at < literals.length; at++) {
            if (isIn(request[variable], literals[at]!, request)) return true
          }
          return false
        }
      }
      const literal = scopeEntity(constraint)
      return (request) => isIn(request[variable], literal, request)
    }
    case 'is': {
      const type = constraint.entity_type
      const above = 'in' in constraint && constraint.in ? scopeEntity(constraint.in) : null
      return (request) =>
        request[variable].type === type &&
        (above === null || isIn(request[variable], above, request))
    }
    default:
      throw new OutsideSubset('an unknown scope', '')
  }
}

function scopeEntity(constraint: object): Entity {
  if ('entity' in constraint) return entityOf(constraint.entity as EntityUidJson)
  throw new OutsideSubset('a template slot', '?')
}

function entityOf(json: EntityUidJson): Entity {
  const { type, id } = '__entity' in json ? json.__entity : json
  return new Entity(type, id)
}

const none: readonly CompiledPolicy[] = []

/**
 * Cedar's rule: any forbid that holds denies, else any permit that holds allows, else deny. A
 * policy that errors is skipped and named; it is the caller who must block then.
 */
export function policySet(policies: readonly CompiledPolicy[]): CompiledPolicies {
  return {
    policies,
    authorize(request) {
      let permits: CompiledPolicy[] | null = null
      let forbids: CompiledPolicy[] | null = null
      let errors: CompiledPolicy[] | null = null
      for (let at = 0; at < policies.length; at++) {
        const policy = policies[at]!
        try {
          if (!policy.holds(request)) continue
        } catch (error) {
          if (!(error instanceof CedarError)) throw error
          ;(errors ??= []).push(policy)
          continue
        }
        if (policy.effect === 'permit') (permits ??= []).push(policy)
        else (forbids ??= []).push(policy)
      }
      const allow = forbids === null && permits !== null
      return { allow, determining: forbids ?? permits ?? none, errors: errors ?? none }
    },
  }
}

import { expect, test } from 'vitest'
import type { PolicySource } from '#decide/policy-source.ts'
import { compilePolicies } from '#decide/compile.ts'
import { constantValue } from '#decide/compile-expression.ts'
import type { Request } from '#decide/compile-expression.ts'
import { Entity } from '#decide/cedar-value.ts'
import type { CedarRecord, EntityData } from '#decide/cedar-value.ts'
import { cedarWasm } from '#decide/cedar-wasm.ts'
import { randomEntities, randomEntity, randomPolicy, randomRecord, seeded } from './cedar-cases.ts'
import type { EntityJson } from './cedar-cases.ts'

/**
 * The compiled policies against cedar-wasm: the same decision, determining policies and erring
 * policies. `POSTERN_FUZZ` is a fraction of the full count; `POSTERN_TEST=all` runs all of it.
 */
const share =
  process.env['POSTERN_TEST'] === 'all' ? 1 : Number(process.env['POSTERN_FUZZ'] ?? 0.05)
const sets = Math.max(20, Math.ceil(2_000 * share))
const requestsPerSet = 50
const worldsPerSet = 5

test(`${sets} policy sets x ${requestsPerSet} requests decide as cedar-wasm does`, () => {
  const cedar = cedarWasm()
  const seen = { allow: 0, forbidden: 0, errors: 0, quiet: 0 }
  for (let set = 0; set < sets; set++) {
    const random = seeded(0x9e3779b9 ^ set)
    const texts = Array.from({ length: 2 + random.below(6) }, (_, at) =>
      randomPolicy(random, `p${at}`),
    )
    const compiled = compilePolicies({ 'all.cedar': texts.join('\n') })
    const policies = compiled.policies.map(({ source }: { source: PolicySource }) => source)
    // One name for every set: the one before is replaced, so memory does not grow.
    cedar.preparsePolicySet('differential', {
      staticPolicies: Object.fromEntries(policies.map(({ id, text }) => [id, text])),
    })
    let entities: EntityJson[] = []
    let find: Request['find'] = () => null
    for (let at = 0; at < requestsPerSet; at++) {
      if (at % (requestsPerSet / worldsPerSet) === 0) {
        entities = randomEntities(random)
        find = finder(entities)
      }
      const principal = randomEntity(random)
      const resource = randomEntity(random)
      const action = { type: 'Action', id: random.pick(['use', 'use', 'other']) }
      const context = randomRecord(random, random.pick([-1, 0, 0, 1, 2]))
      const said = cedar.statefulIsAuthorized({
        principal,
        action,
        resource,
        context,
        entities,
        preparsedPolicySetId: 'differential',
      })
      if (said.type === 'failure') throw new Error(JSON.stringify(said.errors))
      const { decision, diagnostics } = said.response
      const ours = compiled.authorize({
        principal: new Entity(principal.type, principal.id),
        action: new Entity(action.type, action.id),
        resource: new Entity(resource.type, resource.id),
        context: constantValue(context) as CedarRecord,
        find,
      })
      const left = [
        ours.allow ? 'allow' : 'deny',
        ours.determining.map(({ id }) => id).sort(),
        ours.errors.map(({ id }) => id).sort(),
      ]
      const right = [
        decision,
        [...diagnostics.reason].sort(),
        diagnostics.errors.map(({ policyId }) => policyId).sort(),
      ]
      if (JSON.stringify(left) !== JSON.stringify(right)) {
        const case_ = { set, texts, principal, action, resource, context, entities }
        expect.fail(
          `${JSON.stringify({ left, right, errors: diagnostics.errors.map((one) => [one.policyId, one.error.message]) })}\n${JSON.stringify(case_, null, 1)}`,
        )
      }
      if (ours.allow) seen.allow++
      else if (ours.determining.length > 0) seen.forbidden++
      else seen.quiet++
      if (ours.errors.length > 0) seen.errors++
    }
  }
  // A generator that only ever denies would compare nothing.
  const total = sets * requestsPerSet
  for (const count of Object.values(seen)) expect(count / total).toBeGreaterThan(0.05)
}, 300_000)

function finder(entities: readonly EntityJson[]): Request['find'] {
  const key = (type: string, id: string) => `${type} ${id}`
  const raw = new Map(entities.map((entity) => [key(entity.uid.type, entity.uid.id), entity]))
  const known = new Map<string, EntityData>()
  for (const [name, entity] of raw) {
    const above = new Map<string, Entity>()
    const climb = (uids: EntityJson['parents']): void => {
      for (const { type, id } of uids) {
        if (above.has(key(type, id))) continue
        above.set(key(type, id), new Entity(type, id))
        climb(raw.get(key(type, id))?.parents ?? [])
      }
    }
    climb(entity.parents)
    const attributes = constantValue(entity.attrs) as CedarRecord
    known.set(name, { attributes, ancestors: [...above.values()] })
  }
  return (type, id) => known.get(key(type, id)) ?? null
}

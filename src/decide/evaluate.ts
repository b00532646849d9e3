import type { BundleParts } from '#words/bundle.ts'
import { indexDecisions } from './decision-index.ts'
import { toolAllowed } from './instead.ts'
import type { Person } from './instead.ts'
import { lookupCatalog, Resolver } from './resolve.ts'

export type { Person } from './instead.ts'

/**
 * For the register, before anything is signed: may this person use that tool at that instant,
 * with some provider and release of it? Content, level and custody are left aside. Index once, ask
 * often.
 */
export function createEvaluator(parts: Pick<BundleParts, 'ground' | 'decisions'>): {
  allowed(person: Person, tool: string, atMs: number): boolean
} {
  const { catalog } = parts.ground
  const resolver = new Resolver(indexDecisions(parts), lookupCatalog(catalog))
  return { allowed: (person, tool, atMs) => toolAllowed(catalog, resolver, person, tool, atMs) }
}

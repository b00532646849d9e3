import type { Catalog } from '#words/catalog.ts'
import type { Alternative } from '#words/decision.ts'
import type { ToolId } from '#words/ids.ts'
import type { Instead } from '#words/verdict.ts'
import type { Asked, Resolver } from './resolve.ts'

const offeredMax = 3

/** Who a hypothetical question is about: no exchange has been made yet. */
export type Person = Pick<
  Asked,
  'user' | 'groups' | 'site' | 'country' | 'repository' | 'classification'
> & {
  readonly dataClasses?: readonly string[]
}

/** May this person use that tool at that instant, with some provider and some release of it? */
export function toolAllowed(
  catalog: Catalog,
  resolver: Resolver,
  person: Person,
  tool: string,
  atMs: number,
): boolean {
  const listed = catalog.tools.find((one) => one.id === tool)
  if (listed === undefined) return false
  return listed.providers.some((provider) => {
    const { approval, restricting } = resolver.resolve(
      {
        ...person,
        tool,
        provider,
        release: 'any',
        releaseDigest: '',
        // Which model is asked for later: an approval for some models is one.
        families: null,
        familiesKnown: false,
        dataClasses: person.dataClasses ?? null,
        dataClassesKnown: person.dataClasses !== undefined,
      },
      atMs,
    )
    return approval !== null && restricting.length === 0
  })
}

/** The decision's alternatives, or any approved tool where it names none; only what is allowed. */
export function offer(
  catalog: Catalog,
  resolver: Resolver,
  person: Person,
  input: {
    readonly alternatives: readonly Alternative[] | null
    readonly not: string
    readonly atMs: number
  },
): Instead[] {
  const wanted: readonly Alternative[] =
    input.alternatives ?? catalog.tools.map(({ id }): Alternative => ({ tool: id }))
  const offered: Instead[] = []
  for (const { tool, note } of wanted) {
    if (offered.length >= offeredMax) break
    if (tool === (input.not as ToolId)) continue
    if (!toolAllowed(catalog, resolver, person, tool, input.atMs)) continue
    const listed = catalog.tools.find((one) => one.id === tool)!
    offered.push({ tool, name: listed.name, start: listed.start, note: note ?? '' })
  }
  return offered
}

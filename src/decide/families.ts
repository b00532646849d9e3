import type { Catalog } from '#words/catalog.ts'

const cachedMax = 2_048
const modelNameLengthMax = 256

/**
 * Which families a model name belongs to, at any provider. The name is the client's word, so it is
 * bounded before a pattern sees it, and what is remembered is bounded too.
 */
export function familyReader(catalog: Catalog): (model: string) => readonly string[] {
  const patterns = catalog.families.map(({ id, aliases }) => ({
    id,
    aliases: aliases.map((alias) => new RegExp(alias, 'iu')),
  }))
  const cached = new Map<string, readonly string[]>()
  return (model) => {
    const known = cached.get(model)
    if (known !== undefined) return known
    const name = model.slice(0, modelNameLengthMax)
    const found = patterns
      .filter(({ aliases }) => aliases.some((alias) => alias.test(name)))
      .map(({ id }) => id)
    if (cached.size >= cachedMax) cached.clear()
    if (model.length <= modelNameLengthMax) cached.set(model, found)
    return found
  }
}

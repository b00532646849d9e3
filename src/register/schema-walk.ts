import type { z } from 'zod'

type Def = {
  readonly type: string
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly element?: z.ZodType
  readonly innerType?: z.ZodType
  readonly valueType?: z.ZodType
  readonly in?: z.ZodType
  readonly options?: readonly z.ZodType[]
}

/**
 * The keys that may stand in the group at `place`. Of a union, those of every branch, or of the
 * branches that share a key with what was written there. Empty where the schema takes any key.
 */
export function allowedKeys(
  schema: z.ZodType,
  place: readonly (string | number)[],
  written: unknown,
): readonly string[] {
  let branches = [schema]
  for (const step of place) branches = branches.flatMap((one) => into(one, step))
  const groups = branches.flatMap(open).flatMap((one) => {
    const shape = def(one).shape
    return shape === undefined ? [] : [Object.keys(shape)]
  })
  const has = typeof written === 'object' && written !== null ? Object.keys(written) : []
  const near = groups.filter((keys) => keys.some((key) => has.includes(key)))
  return [...new Set((near.length > 0 ? near : groups).flat())]
}

function def(schema: z.ZodType): Def {
  return schema.def
}

/** Through optional, default, pipe and union, to what stands behind them. */
function open(schema: z.ZodType): z.ZodType[] {
  const at = def(schema)
  if (at.options !== undefined) return at.options.flatMap(open)
  if (at.innerType !== undefined) return open(at.innerType)
  if (at.in !== undefined) return open(at.in)
  return [schema]
}

function into(schema: z.ZodType, step: string | number): z.ZodType[] {
  return open(schema).flatMap((one) => {
    const at = def(one)
    const next =
      typeof step === 'number' ? at.element : (at.shape?.[step] ?? at.valueType ?? undefined)
    return next === undefined ? [] : [next]
  })
}

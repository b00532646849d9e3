import { z } from 'zod'
import { familySchema, providerSchema, toolSchema, vendorsSchema } from './catalog-schema.ts'
import { configSchema } from './config-schema.ts'
import { registerSchema } from './register-schema.ts'

const schemas: Readonly<Record<string, { readonly title: string; readonly schema: z.ZodType }>> = {
  'config.json': { title: 'postern.yaml', schema: configSchema },
  'register.json': { title: 'register/*.yaml', schema: registerSchema },
  'catalog-tool.json': { title: 'catalog/tools/*.yaml', schema: toolSchema },
  'catalog-provider.json': { title: 'catalog/providers/*.yaml', schema: providerSchema },
  'catalog-family.json': { title: 'catalog/families/*.yaml', schema: familySchema },
  'catalog-vendors.json': { title: 'catalog/vendors.yaml', schema: vendorsSchema },
}

/**
 * JSON Schemas (2020-12) of the files that people edit, for editors: file name to text. What the
 * schema language cannot say (ids that exist, dates in order) is checked when a file is read.
 */
export function schemaFiles(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { title, schema }]) => {
      const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
      return [name, `${JSON.stringify({ title, ...made }, null, 2)}\n`]
    }),
  )
}

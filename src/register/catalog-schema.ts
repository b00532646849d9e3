import { z } from 'zod'
import { patternComplaint } from './pattern.ts'

/** Catalog keys, sites, groups: kebab-case, so that they read well in a command and in a refusal. */
export const idSchema = z
  .string()
  .regex(/^[a-z0-9]+(?:[-.][a-z0-9]+)*$/, 'write it in small letters, digits and hyphens')
  .max(64)

/** Host names as the TLS door compares them: lower case, no port, no wildcard. */
export const hostSchema = z
  .string()
  .regex(
    /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$/,
    'write one exact host name in small letters, without port and without `*`',
  )

export const countrySchema = z
  .string()
  .regex(/^[A-Z]{2}$/, 'write the ISO 3166 code of the country: two capital letters')

const sourceSchema = z.string().min(8, 'say where this was read or measured').max(1_000)

const patternSchema = z
  .string()
  .max(300)
  .superRefine((pattern, context) => {
    const complaint = patternComplaint(pattern)
    if (complaint !== null) context.addIssue({ code: 'custom', message: complaint })
  })

export const purposes = [
  'inference',
  'count',
  'models',
  'auth',
  'telemetry',
  'update',
  'other',
  'unknown',
] as const
export const wires = ['anthropic-messages', 'openai-responses', 'opaque'] as const

const endpointSchema = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', '*']),
  path: z
    .string()
    .max(200)
    .regex(
      /^\/(?:(?:[^/?#*\s]+)(?:\/(?:[^/?#*\s]+))*(?:\/\*)?|\*)?$/,
      'write a path such as `/v1/models/:model` or `/api/oauth/*`: literal segments, `:name`, a final `*`',
    ),
  purpose: z.enum(purposes),
  wire: z.enum(wires),
  webSocket: z.boolean().exactOptional(),
})

const catalogHostSchema = z.strictObject({
  host: hostSchema,
  role: z.enum(['inference', 'auth', 'telemetry', 'update', 'other']),
  shared: z.boolean().exactOptional(),
})

export const providerSchema = z.strictObject({
  id: idSchema,
  name: z.string().min(1).max(80),
  vendor: idSchema,
  mount: idSchema,
  baseUrl: z.url({
    protocol: /^https?$/,
    error: 'write an address such as `https://api.example.com`',
  }),
  hosts: z.array(catalogHostSchema).max(100),
  countries: z.array(countrySchema).max(250),
  endpoints: z.array(endpointSchema).max(200),
  source: sourceSchema,
})

const identitySchema = z
  .strictObject({
    userAgent: patternSchema.exactOptional(),
    header: z
      .strictObject({
        name: z
          .string()
          .regex(/^[a-z0-9-]+$/, 'write the header name in small letters')
          .max(100),
        pattern: patternSchema,
      })
      .exactOptional(),
    confidence: z.enum(['claimed', 'guessed']),
    interactive: patternSchema.exactOptional(),
    source: sourceSchema,
  })
  .refine(
    (identity) => identity.userAgent !== undefined || identity.header !== undefined,
    'an identity without `userAgent` and `header` would match everyone; write one of them',
  )

const textsSchema = z.array(z.string().min(1).max(300)).max(100)

/** What a tool leaves on a machine. Read by the workstation; never part of the bundle. */
const tracesSchema = z.strictObject({
  binaries: textsSchema.exactOptional(),
  configuration: textsSchema.exactOptional(),
  mcp: textsSchema.exactOptional(),
  rules: textsSchema.exactOptional(),
  extensions: textsSchema.exactOptional(),
  managedSettings: textsSchema.exactOptional(),
  unconfinedFlags: textsSchema.exactOptional(),
})

export const toolSchema = z.strictObject({
  id: idSchema,
  name: z.string().min(1).max(80),
  vendor: idSchema,
  kinds: z
    .array(z.enum(['cli', 'editor', 'extension', 'desktop', 'web']))
    .min(1)
    .max(5),
  packages: z
    .array(
      z
        .string()
        .regex(
          /^pkg:[a-z][a-z0-9.+-]*\/[^@\s?#]+$/,
          'write a package URL without version, `@` in a scope as `%40`: `pkg:npm/%40openai/codex`',
        ),
    )
    .max(20),
  providers: z.array(idSchema).max(40),
  identities: z.array(identitySchema).max(20),
  start: z.string().min(1).max(120),
  pointing: z.array(z.string().min(1).max(600)).max(20),
  traces: tracesSchema.exactOptional(),
  source: sourceSchema,
})

export const familySchema = z.strictObject({
  id: idSchema,
  vendor: idSchema,
  aliases: z.array(patternSchema).min(1).max(40),
  source: sourceSchema,
})

export const vendorsSchema = z.strictObject({
  vendors: z
    .array(z.strictObject({ id: idSchema, name: z.string().min(1).max(80) }))
    .min(1)
    .max(500),
})

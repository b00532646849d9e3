import { z } from 'zod'
import { countrySchema, idSchema } from './catalog-schema.ts'
import { isTimeZone, parseInstant, parseWhen } from './when.ts'

export const userIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9](?:[A-Za-z0-9._@+-]{0,126}[A-Za-z0-9])?$/,
    'write the name of the person as the directory has it: letters, digits, `.`, `_`, `-`, `@`',
  )

export const decisionIdSchema = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{2,62}$/,
    'write 3 to 63 small letters, digits, `-` or `_`: `dec-claude-code-ban`',
  )

const whenSchema = z
  .string()
  .refine(
    (text) => parseWhen(text) !== null,
    "write a date such as `2026-07-10` (00:00 by each site's clock) or an instant with its offset: `2026-07-10T00:00:00+08:00`",
  )

const instantSchema = z
  .string()
  .refine(
    (text) => parseInstant(text) !== null,
    'write an instant with its offset: `2026-07-10T00:00:00+08:00`',
  )

const someIds = z.array(idSchema).min(1).max(1_000)
const someTexts = z.array(z.string().min(1).max(400)).min(1).max(1_000)

const subjectKeys = ['tool', 'release', 'vendor', 'provider', 'modelFamily'] as const

const subjectSchema = z
  .strictObject({
    tool: idSchema.exactOptional(),
    /** Package URL with version: `pkg:npm/%40openai/codex@0.169.0`. */
    release: z
      .string()
      .regex(
        /^pkg:[a-z][a-z0-9.+-]*\/[^@\s?#]+@[^@\s?#/]+$/,
        'write a package URL with its version: `pkg:npm/%40openai/codex@0.169.0`',
      )
      .exactOptional(),
    sha512: z
      .string()
      .regex(/^[0-9a-f]{128}$/, 'write the SHA-512 of the package: 128 small hex digits')
      .exactOptional(),
    vendor: idSchema.exactOptional(),
    provider: idSchema.exactOptional(),
    modelFamily: idSchema.exactOptional(),
  })
  .refine(
    (subject) => subjectKeys.filter((key) => subject[key] !== undefined).length === 1,
    `name exactly one subject: ${subjectKeys.join(', ')}`,
  )
  .refine(
    (subject) => subject.sha512 === undefined || subject.release !== undefined,
    '`sha512` goes with `release` only',
  )

const scopeSchema = z.strictObject({
  users: z.array(userIdSchema).min(1).max(10_000).exactOptional(),
  groups: someIds.exactOptional(),
  sites: someIds.exactOptional(),
  repositories: someTexts.exactOptional(),
  classifications: someIds.exactOptional(),
  dataClasses: someIds.exactOptional(),
  countries: z.array(countrySchema).min(1).max(250).exactOptional(),
  providers: someIds.exactOptional(),
  models: someIds.exactOptional(),
})

const decisionSchema = z.strictObject({
  id: decisionIdSchema,
  subject: subjectSchema,
  status: z.enum([
    'approved',
    'conditional',
    'tolerated',
    'under-review',
    'prohibited',
    'retired',
    'unknown',
  ]),
  scope: scopeSchema.exactOptional(),
  effectiveFrom: whenSchema,
  effectiveUntil: whenSchema.exactOptional(),
  announceFrom: whenSchema.exactOptional(),
  profile: z.enum(['observe', 'warn', 'enforce']).default('enforce'),
  custody: z.enum(['central', 'device-system', 'device-user']).exactOptional(),
  level: z.enum(['none', 'L0', 'L1', 'L2', 'L3']).exactOptional(),
  openStreams: z
    .union([z.literal('finish'), z.strictObject({ cutAfterSeconds: z.int().min(0).max(86_400) })])
    .default('finish'),
  conditions: z.array(z.string().min(1).max(400)).max(50).default([]),
  alternatives: z
    .array(
      z.union([
        idSchema,
        z.strictObject({ tool: idSchema, note: z.string().min(1).max(200).exactOptional() }),
      ]),
    )
    .max(10)
    .default([]),
  removalDeadline: whenSchema.exactOptional(),
  rationale: z.string().min(1).max(4_000),
  evidence: z.array(z.string().min(1).max(300)).max(100).default([]),
  owner: z.string().min(1).max(128),
  approvers: z.array(z.string().min(1).max(128)).max(20).default([]),
  /** Decisions are never deleted: from this instant on it does not count. */
  withdrawn: instantSchema.exactOptional(),
})

const siteSchema = z.strictObject({
  id: idSchema,
  timeZone: z
    .string()
    .refine(isTimeZone, 'write an IANA time zone, such as `Asia/Shanghai` or `Europe/Berlin`'),
  country: countrySchema,
})

const personSchema = z.strictObject({
  id: userIdSchema,
  groups: z.array(idSchema).max(200).default([]),
  site: idSchema.exactOptional(),
})

/** Any file below `register/` may hold any of these; all files count together. */
export const registerSchema = z.strictObject({
  decisions: z.array(decisionSchema).max(100_000).exactOptional(),
  sites: z.array(siteSchema).max(10_000).exactOptional(),
  groups: z.array(idSchema).max(10_000).exactOptional(),
  people: z.array(personSchema).max(1_000_000).exactOptional(),
  /** Repository, as clients say it, to its classification. */
  classifications: z.record(z.string().min(1).max(400), idSchema).exactOptional(),
})

export type WrittenDecision = z.infer<typeof decisionSchema>
export type WrittenRegister = z.infer<typeof registerSchema>

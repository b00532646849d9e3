import { z } from 'zod'
import { limits } from '#words/limits.ts'

/**
 * The shapes of bundle and root file, checked where the bytes come in. Strict: a member that this
 * version does not know could be a condition that it would not enforce, so it is refused.
 */
const id = z.string().min(1).max(512)
const hex64 = z.string().regex(/^[0-9a-f]{64}$/)
const keyId = z.string().regex(/^[0-9a-f]{16}$/)
const ms = z.number().int().min(0).max(8_640_000_000_000_000)
const texts = z.array(z.string())
const ids = z.array(id)

const when = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('instant'), ms }),
  z.strictObject({
    kind: z.literal('local-midnight'),
    date: z.string().regex(/^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/),
  }),
])
const profile = z.enum(['observe', 'warn', 'enforce'])
const custody = z.enum(['central', 'device-system', 'device-user'])
const level = z.enum(['none', 'L0', 'L1', 'L2', 'L3'])
const subject = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('tool'), tool: id }),
  z.strictObject({
    kind: z.literal('release'),
    tool: id,
    version: z.string().min(1),
    sha512: z
      .string()
      .regex(/^[0-9a-f]{128}$/)
      .optional(),
  }),
  z.strictObject({ kind: z.literal('vendor'), vendor: id }),
  z.strictObject({ kind: z.literal('provider'), provider: id }),
  z.strictObject({ kind: z.literal('model-family'), family: id }),
])
const scope = z.strictObject({
  users: ids.optional(),
  groups: ids.optional(),
  sites: ids.optional(),
  repositories: texts.optional(),
  classifications: texts.optional(),
  dataClasses: texts.optional(),
  countries: texts.optional(),
  providers: ids.optional(),
  models: ids.optional(),
})
const approval = z.strictObject({
  shown: z.string(),
  signatures: z.array(z.strictObject({ keyId, signature: z.string() })).max(64),
})
const decision = z.strictObject({
  id,
  revision: z.number().int().min(0).optional(),
  subject,
  status: z.enum([
    'approved',
    'conditional',
    'tolerated',
    'under-review',
    'prohibited',
    'retired',
    'unknown',
  ]),
  scope,
  effectiveFrom: when,
  effectiveUntil: when.optional(),
  announceFrom: when.optional(),
  profile,
  custody: custody.optional(),
  level: level.optional(),
  openStreams: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('finish') }),
    z.strictObject({ kind: z.literal('cut'), afterSeconds: z.number().min(0).max(86_400) }),
  ]),
  conditions: texts,
  alternatives: z.array(z.strictObject({ tool: id, note: z.string().optional() })).max(16),
  removalDeadline: when.optional(),
  rationale: z.string(),
  evidence: texts,
  owner: z.string(),
  approvers: texts,
  withdrawnAtMs: ms.optional(),
})

// The catalog has its own door (the register reads and checks its files) and is signed by approvers;
// here only what this room reads of it is checked, and other members are kept as they came.
const catalog = z.looseObject({
  tools: z.array(
    z.looseObject({ id, name: z.string(), vendor: id, providers: ids, start: z.string() }),
  ),
  providers: z.array(
    z.looseObject({
      id,
      name: z.string(),
      vendor: id,
      countries: texts,
      hosts: z.array(z.looseObject({ host: z.string(), role: z.string() })),
    }),
  ),
  families: z.array(z.looseObject({ id, vendor: id, aliases: texts })),
  vendors: z.array(z.looseObject({ id, name: z.string() })),
})

const ground = z.strictObject({
  catalog,
  policies: z.record(z.string(), z.string()),
  schema: z.string(),
  sites: z.array(z.strictObject({ id, timeZone: z.string(), country: z.string() })),
  classifications: z.record(z.string(), z.string()),
  defaultProfile: profile,
  otherHosts: z.enum(['tunnel', 'refuse']),
  sharedHostsOn: texts,
  revision: z.number().int().min(0).optional(),
  approval: approval.nullable(),
})

const principals = z.strictObject({
  users: z.array(z.strictObject({ id, groups: ids, site: id })),
  tokens: z.array(
    z.strictObject({
      id,
      sha256: hex64,
      user: id,
      device: id,
      site: id,
      expiresMs: ms,
      providers: ids.optional(),
    }),
  ),
  devices: z.array(
    z.strictObject({ id, user: id, publicKey: z.string(), custody, levelMax: level }),
  ),
})

const partNames = ['ground', 'decisions', 'principals', 'revocations'] as const

export const partsShape = z.strictObject({
  ground,
  decisions: z.strictObject({
    decisions: z
      .array(z.strictObject({ decision, approval: approval.nullable() }))
      .max(limits.decisionsMax),
  }),
  principals,
  revocations: z.strictObject({ tokens: ids, devices: ids, launches: ids, users: ids }),
})

export const sealedShape = z.strictObject({
  manifest: z.strictObject({
    format: z.literal('postern-bundle/1'),
    origin: z.string().min(1),
    counter: z.number().int().min(0),
    issuedAtMs: ms,
    validUntilMs: ms,
    parts: z.record(z.enum(partNames), hex64),
  }),
  parts: z.record(z.enum(partNames), z.string()),
  signature: z.string(),
  keyId,
})

const publicKey = z.strictObject({ keyId, publicKey: z.string() })
export const rootShape = z.strictObject({
  format: z.literal('postern-root/1'),
  version: z.number().int().min(1),
  origin: z.string().min(1),
  bundleKeys: z.array(publicKey).min(1).max(16),
  logKeys: z.array(publicKey).max(16),
  approvers: z.array(z.strictObject({ keyId, publicKey: z.string(), name: z.string() })).max(64),
  threshold: z.number().int().min(1),
})

/** The first complaint of zod as one line: `decisions.4.status: Invalid option …`. */
export function firstComplaint(error: z.ZodError): string {
  const issue = error.issues[0]
  return issue ? `${issue.path.join('.') || 'document'}: ${issue.message}` : 'unreadable'
}

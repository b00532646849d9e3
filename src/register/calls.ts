import { z } from 'zod'
import type { FaultCode } from '#words/fault-codes.ts'
import { Fault, invariant, isFault } from '#words/faults.ts'
import { exportFormats } from './export.ts'
import type { RegisterService } from './service.ts'

const reason = z.string().min(1).max(1_000)
const name = z.string().min(1).max(200)
const ms = z.int().min(0).max(8_640_000_000_000_000)

/**
 * What CLI and API ask of the register, as one table: the parameters that are let in, and what is
 * done. Both doors go through `callRegister`, so there is one place where bytes become types.
 */
const calls = {
  plan: call(z.strictObject({}), (service) => {
    const plan = service.plan()
    return { plan, signatures: service.signatures(plan) }
  }),
  'take-approval': call(z.strictObject({ approval: z.unknown() }), async (service, input) => ({
    path: await service.takeApproval(input.approval),
  })),
  apply: call(
    z.strictObject({ expectDigest: z.string().max(64).exactOptional() }),
    (service, input) => service.apply(input),
  ),
  list: call(z.strictObject({}), (service) => ({ decisions: service.list() })),
  show: call(
    z.strictObject({ atMs: ms.exactOptional(), asKnownAtMs: ms.exactOptional() }),
    (service, input) => service.show(input),
  ),
  export: call(z.strictObject({ format: z.enum(exportFormats) }), (service, input) => ({
    text: service.export(input.format),
  })),
  'issue-token': call(
    z.strictObject({
      user: name,
      device: name.exactOptional(),
      site: name.exactOptional(),
      tool: name.exactOptional(),
      providers: z.array(name).max(100).exactOptional(),
      expiresMs: ms,
    }),
    (service, input) => service.principals.issueToken(input),
  ),
  'list-tokens': call(z.strictObject({}), (service) => ({
    tokens: service.principals.listTokens(),
  })),
  'revoke-token': call(z.strictObject({ id: name, reason }), (service, input) =>
    service.principals.revokeToken(input.id, input.reason),
  ),
  'enroll-device': call(
    z.strictObject({
      user: name,
      publicKey: name,
      custody: z.enum(['central', 'device-system', 'device-user']),
      levelMax: z.enum(['none', 'L0', 'L1', 'L2', 'L3']),
    }),
    async (service, input) => ({ id: await service.principals.enrollDevice(input) }),
  ),
  'list-devices': call(z.strictObject({}), (service) => ({
    devices: service.principals.listDevices(),
  })),
  'revoke-device': call(z.strictObject({ id: name, reason }), (service, input) =>
    service.principals.revokeDevice(input.id, input.reason),
  ),
  'revoke-launch': call(z.strictObject({ launch: name, reason }), (service, input) =>
    service.principals.revokeLaunch(input.launch, input.reason),
  ),
  'revoke-user': call(z.strictObject({ id: name, reason }), (service, input) =>
    service.principals.revokeUser(input.id, input.reason),
  ),
  'restore-user': call(z.strictObject({ id: name, reason }), (service, input) =>
    service.principals.restoreUser(input.id, input.reason),
  ),
} as const

export type RegisterCall = keyof typeof calls
export const registerCalls = Object.keys(calls) as readonly RegisterCall[]

export type RegisterAnswer<Name extends RegisterCall> = Awaited<
  ReturnType<(typeof calls)[Name]['run']>
>
export type RegisterInput<Name extends RegisterCall> = z.input<(typeof calls)[Name]['schema']>

/** Throws `not-found` for an unknown call and `usage` for parameters that do not fit. */
export async function callRegister<Name extends RegisterCall>(
  service: RegisterService,
  name: Name,
  input: unknown,
): Promise<RegisterAnswer<Name>> {
  if (!Object.hasOwn(calls, name)) {
    throw new Fault('not-found', { outward: 'The register has no such call.' })
  }
  const row = calls[name] as unknown as Row<unknown>
  const parsed = row.schema.safeParse(input ?? {})
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    invariant(issue !== undefined, 'a failed parse has an issue')
    throw new Fault('usage', { outward: `${issue.path.join('.') || name}: ${issue.message}` })
  }
  return (await row.run(service, parsed.data)) as RegisterAnswer<Name>
}

export type HttpAnswer = { readonly status: number; readonly body: unknown }

/**
 * The same over HTTP: `POST /v1/register/:name` with the parameters as JSON. A fault becomes
 * `{ error: { code, outward, advice } }`; a bug is thrown on, for whoever serves to crash or log.
 */
export async function answerRegister(
  service: RegisterService,
  name: string,
  input: unknown,
): Promise<HttpAnswer> {
  try {
    const answer: unknown = await callRegister(service, name as RegisterCall, input)
    return { status: 200, body: answer ?? null }
  } catch (fault) {
    if (!isFault(fault)) throw fault
    const { code, outward, advice } = fault
    return { status: statuses[code] ?? 400, body: { error: { code, outward, advice } } }
  }
}

const statuses: Partial<Record<FaultCode, number>> = {
  'not-found': 404,
  'not-permitted': 403,
  'bundle-unsigned-loosening': 403,
  'register-contradiction': 409,
  'register-alternative': 409,
  'log-invalid': 500,
  'spool-full': 503,
}

type Row<Input> = {
  readonly schema: z.ZodType
  readonly run: (service: RegisterService, input: Input) => unknown
}

function call<Schema extends z.ZodType, Answer>(
  schema: Schema,
  run: (service: RegisterService, input: z.output<Schema>) => Answer,
): { readonly schema: Schema; readonly run: typeof run } {
  return { schema, run }
}

import { Fault } from '#words/faults.ts'
import { cedarWasm } from './cedar-wasm.ts'
import { compilePolicies } from './compile.ts'

/**
 * Everything that is asked of policies before they may go into a bundle: they parse, stay inside
 * the compiled subset, and are valid against the schema in Cedar's strict mode.
 *
 * Fails with `policy-invalid`, naming file, line and policy.
 */
export function validatePolicies(texts: Readonly<Record<string, string>>, schema: string): void {
  const { policies } = compilePolicies(texts)
  const answer = cedarWasm().validate({
    validationSettings: { mode: 'strict' },
    schema,
    policies: {
      staticPolicies: Object.fromEntries(policies.map(({ id, source }) => [id, source.text])),
    },
  })
  if (answer.type === 'failure') {
    throw new Fault('policy-invalid', {
      outward: `The Cedar schema is refused: ${answer.errors[0]?.message ?? 'unreadable'}.`,
    })
  }
  const [first] = answer.validationErrors
  if (first === undefined) return
  const source = policies.find((policy) => policy.id === first.policyId)?.source
  const start = first.error.sourceLocations?.[0]?.start ?? 0
  const more =
    Buffer.from(source?.text ?? '')
      .toString('utf8', 0, start)
      .split('\n').length - 1
  throw new Fault('policy-invalid', {
    outward:
      `${source?.file ?? 'policies'}:${(source?.line ?? 1) + more}: policy ${first.policyId}: ` +
      `${first.error.message}.`,
  })
}

import type { Status } from '#words/decision.ts'
import type { VerdictKind } from '#words/verdict.ts'
import { CedarError, toCedarJson } from './cedar-value.ts'
import { compileExpression } from './compile-expression.ts'
import type { CompiledPolicies, CompiledPolicy } from './compile.ts'
import type { Request } from './compile-expression.ts'
import type { Judged } from './judge.ts'
import { expressionText } from './expression-text.ts'
import type { Expr } from '@cedar-policy/cedar-wasm/nodejs'

export type Clause = {
  readonly kind: 'when' | 'unless'
  /** The clause in Cedar. */
  readonly words: string
  /** `true`, `false`, another value, or `error: …`. */
  readonly value: string
}

export type ExplainedPolicy = {
  readonly id: string
  readonly effect: 'permit' | 'forbid'
  readonly outcome: 'holds' | 'holds not' | 'error'
  readonly clauses: readonly Clause[]
}

export type Explanation = {
  readonly kind: VerdictKind
  readonly wouldBe: VerdictKind
  /** Each decision that was weighed, the one that counted marked. */
  readonly weighed: readonly {
    readonly decision: string | null
    readonly status: Status
    readonly kind: VerdictKind
    readonly wouldBe: VerdictKind
    readonly counts: boolean
  }[]
  readonly determining: readonly ExplainedPolicy[]
  /** The other policies about the same action, each with the clause that kept it out. */
  readonly others: readonly ExplainedPolicy[]
}

export function explainJudged(
  counts: Judged,
  every: readonly Judged[],
  compiled: CompiledPolicies,
): Explanation {
  const spoke = new Set([...counts.answer.determining, ...counts.answer.errors])
  const request = counts.request()
  const explain = (policy: CompiledPolicy) => explainPolicy(policy, request)
  return {
    kind: counts.kind,
    wouldBe: counts.wouldBe,
    weighed: every.map((judged) => ({
      decision: judged.candidate.prepared?.decision.id ?? null,
      status: judged.candidate.status,
      kind: judged.kind,
      wouldBe: judged.wouldBe,
      counts: judged === counts,
    })),
    determining: compiled.policies.filter((policy) => spoke.has(policy)).map(explain),
    others: compiled.policies.filter((policy) => !spoke.has(policy)).map(explain),
  }
}

function explainPolicy(policy: CompiledPolicy, request: Request): ExplainedPolicy {
  const clauses: Clause[] = []
  for (const { kind, body } of policy.source.json.conditions) {
    for (const clause of conjuncts(body, kind)) {
      clauses.push({ kind, words: expressionText(clause), value: valueText(clause, request) })
    }
  }
  return { id: policy.id, effect: policy.effect, outcome: outcomeOf(policy, request), clauses }
}

/** `when` splits at `&&`, `unless` at `||`: the parts that each decide alone. */
function conjuncts(body: Expr, kind: 'when' | 'unless'): Expr[] {
  const node = body as Record<string, { left: Expr; right: Expr } | undefined>
  const pair = node[kind === 'when' ? '&&' : '||']
  if (pair === undefined) return [body]
  return [...conjuncts(pair.left, kind), ...conjuncts(pair.right, kind)]
}

function valueText(clause: Expr, request: Request): string {
  try {
    return JSON.stringify(toCedarJson(compileExpression(clause)(request)))
  } catch (error) {
    if (error instanceof CedarError) return `error: ${error.message}`
    throw error
  }
}

function outcomeOf(policy: CompiledPolicy, request: Request): ExplainedPolicy['outcome'] {
  try {
    return policy.holds(request) ? 'holds' : 'holds not'
  } catch (error) {
    if (error instanceof CedarError) return 'error'
    throw error
  }
}

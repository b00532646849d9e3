import { limits } from '#words/limits.ts'
import { requestJson } from './ask.ts'
import { cedarWasm } from './cedar-wasm.ts'
import type { Answer, CompiledPolicies, CompiledPolicy } from './compile.ts'
import type { Request } from './compile-expression.ts'

type Asked = { readonly request: Request; readonly ours: Answer }

const perTurnMax = 8

/**
 * Decides again with cedar-wasm, off the road: every block and every hundredth pass.
 *
 * The queue is bounded; what does not fit is counted in `dropped`, never waited for. The first
 * mismatch is told, and from then on `mistrusted` is true: the decider asks cedar-wasm itself.
 */
export class Oracle {
  mistrusted = false
  checked = 0
  dropped = 0
  readonly #compiled: CompiledPolicies
  readonly #id: string
  readonly #onMismatch: (what: string) => void
  readonly #queue: Asked[] = []
  #running = false
  #loaded = false

  constructor(
    compiled: CompiledPolicies,
    /** Names the policy set inside cedar-wasm; two sets must not share it. */
    id: string,
    onMismatch: (what: string) => void,
  ) {
    this.#compiled = compiled
    this.#id = id
    this.#onMismatch = onMismatch
  }

  later(request: Request, ours: Answer): void {
    if (this.mistrusted) return
    if (this.#queue.length >= limits.oracleQueueMax) {
      this.dropped++
      return
    }
    this.#queue.push({ request, ours })
    if (this.#running) return
    this.#running = true
    setImmediate(() => this.#drain(perTurnMax)).unref()
  }

  /** Checks all that waits, now. */
  flush(): void {
    this.#drain(Infinity)
  }

  #drain(most: number): void {
    for (let count = 0; count < most && this.#queue.length > 0; count++) {
      const { request, ours } = this.#queue.shift()!
      const cedar = this.authorize(request)
      this.checked++
      if (answerText(cedar) === answerText(ours)) continue
      this.mistrusted = true
      this.#queue.length = 0
      this.#onMismatch(
        JSON.stringify({ ours: answerText(ours), cedar: answerText(cedar), set: this.#id }),
      )
    }
    this.#running = this.#queue.length > 0
    if (this.#running) setImmediate(() => this.#drain(perTurnMax)).unref()
  }

  /** cedar-wasm's own answer. A request that it cannot read counts as an error of every policy. */
  authorize(request: Request): Answer {
    const cedar = cedarWasm()
    const { policies } = this.#compiled
    if (!this.#loaded) {
      const texts = policies.map((policy) => [policy.id, policy.source.text] as const)
      cedar.preparsePolicySet(this.#id, { staticPolicies: Object.fromEntries(texts) })
      this.#loaded = true
    }
    const said = cedar.statefulIsAuthorized({
      ...requestJson(request),
      preparsedPolicySetId: this.#id,
    })
    if (said.type === 'failure') return { allow: false, determining: [], errors: policies }
    const { decision, diagnostics } = said.response
    const listed = (ids: readonly string[]): CompiledPolicy[] =>
      policies.filter((policy) => ids.includes(policy.id))
    return {
      allow: decision === 'allow',
      determining: listed(diagnostics.reason),
      errors: listed(diagnostics.errors.map((error) => error.policyId)),
    }
  }
}

function answerText({ allow, determining, errors }: Answer): string {
  const ids = (list: readonly CompiledPolicy[]) => list.map((policy) => policy.id).sort()
  return JSON.stringify([allow ? 'allow' : 'deny', ids(determining), ids(errors)])
}

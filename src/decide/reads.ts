import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'

/**
 * What a policy can depend on: `context.status` as `status`, `context.coverage.complete` as
 * `coverage.complete`, and `*` for everything that is not such a plain read. Never too little: what
 * is not understood counts as `*`.
 */
export function readsOf(policies: readonly PolicyJson[]): ReadonlySet<string> {
  const reads = new Set<string>()
  for (const policy of policies) {
    if (policy.principal.op !== 'All' || policy.resource.op !== 'All') reads.add('*')
    for (const { body } of policy.conditions) walk(body, reads)
  }
  return reads
}

function walk(node: unknown, reads: Set<string>): void {
  if (typeof node !== 'object' || node === null) return
  const path = contextPath(node)
  if (path !== null) {
    // Deeper records would need a name of their own; only `coverage` has one.
    if (path.length === 1 || (path.length === 2 && path[0] === 'coverage')) {
      reads.add(path.join('.'))
    } else reads.add('*')
    return
  }
  for (const [kind, inner] of Object.entries(node)) {
    if (kind === 'Value') continue
    if (kind === 'Var' || kind === 'Slot') {
      if (inner !== 'action') reads.add('*')
    } else walk(inner, reads)
  }
}

/** `context.a.b` as `['a', 'b']`; null for any other expression. */
function contextPath(node: object): string[] | null {
  const get = (node as { '.'?: { left: object; attr: string } })['.']
  if (get === undefined || typeof get.attr !== 'string') return null
  const { left } = get
  if ('Var' in left && left.Var === 'context') return [get.attr]
  const above = contextPath(left)
  return above === null ? null : [...above, get.attr]
}

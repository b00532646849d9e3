import { canonicalScan } from './canonical-scan.ts'
import type { LeafHead } from './leaf-head.ts'

/** Verdicts without an outcome that are held in memory; above it we say that we stopped looking. */
const openMax = 1_000_000

export type OrderCounts = {
  readonly nodes: number
  readonly verdicts: number
  readonly open: number
  readonly unknownOutcomes: number
  readonly erasedKeys: number
}

/**
 * What the tree alone does not say: each node's counters run without gap or repetition, each
 * verdict has exactly one outcome, and after a node's start nothing older of it is open.
 */
export function createOrder(problem: (text: string) => void) {
  const nodes = new Map<string, { last: number; open: Set<number> }>()
  let verdicts = 0
  let open = 0
  let unknownOutcomes = 0
  let erasedKeys = 0

  function counterOf(said: LeafHead, index: number) {
    let node = nodes.get(said.node)
    if (!node) nodes.set(said.node, (node = { last: 0, open: new Set() }))
    if (said.counter <= node.last) {
      problem(`Entry ${index}: ${said.node} used counter ${said.counter} twice.`)
    } else if (said.counter !== node.last + 1) {
      problem(
        `Entry ${index}: entries ${node.last + 1} to ${said.counter - 1} of ${said.node} are missing.`,
      )
    }
    node.last = Math.max(node.last, said.counter)
    return node
  }

  return {
    take(said: LeafHead, leaf: Buffer, index: number): void {
      // A second "counter" further back would make two readers see two entries.
      if (!canonicalScan(leaf)) problem(`Entry ${index} is not canonical JSON.`)
      const node = counterOf(said, index)
      if (said.kind === 'verdict') {
        verdicts++
        if (open >= openMax) return problem('Too many verdicts without an outcome to go on.')
        open++
        node.open.add(said.counter)
      } else if (said.kind === 'outcome') {
        if (node.open.delete(said.of)) open--
        else problem(`Entry ${index} closes verdict ${said.of} of ${said.node}, which is not open.`)
        if (leaf.includes('"result":"unknown"')) unknownOutcomes++
      } else if (said.kind === 'node' && leaf.includes('"event":"start"')) {
        if (node.open.size === 0) return
        problem(`Entry ${index}: ${said.node} started with ${node.open.size} verdicts left open.`)
        open -= node.open.size
        node.open.clear()
      } else if (said.kind === 'key' && leaf.includes('"event":"erased"')) erasedKeys++
    },
    end: (): OrderCounts => ({ nodes: nodes.size, verdicts, open, unknownOutcomes, erasedKeys }),
  }
}

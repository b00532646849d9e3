import type { KeyObject } from 'node:crypto'
import { nextHead, receiptHolds } from './block.ts'
import type { LeafHead } from './leaf-head.ts'
import type { LogSource } from './log-source.ts'
import { receiptsOf } from './node-receipts.ts'
import type { KeptReceipt } from './node-receipts.ts'

/** Is every leaf of every node covered by a receipt that the node signed? Else control made it. */
export function createReceiptCheck(input: {
  readonly source: LogSource
  readonly origin: string
  readonly nodeKeys: ReadonlyMap<string, KeyObject>
  problem(text: string): void
}) {
  const nodes = new Map<
    string,
    { receipts: AsyncGenerator<KeptReceipt>; now: KeptReceipt | null; hashes: Buffer[] }
  >()
  let count = 0

  return {
    async take(said: LeafHead, hash: Buffer, index: number): Promise<void> {
      let node = nodes.get(said.node)
      if (!node) {
        if (!input.nodeKeys.has(said.node)) input.problem(`No key of ${said.node} is known.`)
        node = { receipts: receiptsOf(input.source, said.node), now: null, hashes: [] }
        nodes.set(said.node, node)
      }
      if (!node.now) {
        const next = await node.receipts.next()
        node.now = next.done ? null : next.value
        node.hashes = []
      }
      const receipt = node.now
      if (!receipt || said.counter < receipt.first || said.counter > receipt.last) {
        return input.problem(`Entry ${index} of ${said.node} has no receipt.`)
      }
      node.hashes.push(hash)
      if (said.counter < receipt.last) return
      node.now = null
      const key = input.nodeKeys.get(said.node)
      const head = nextHead(receipt.previous, node.hashes)
      if (
        !key ||
        !head.equals(receipt.head) ||
        !receiptHolds(input.origin, said.node, receipt, key)
      ) {
        return input.problem(`The receipt at entry ${index} of ${said.node} does not hold.`)
      }
      count++
    },
    async end(): Promise<number> {
      for (const [name, node] of nodes) {
        if (node.now) input.problem(`The last receipt of ${name} is of entries that are not here.`)
      }
      return count
    },
  }
}

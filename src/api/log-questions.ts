import type { LogReader } from '#evidence/log-reader.ts'
import { leavesPerReadMax, numberOf } from '#evidence/log-reader.ts'
import type { RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import type { ControlKeys } from './key-files.ts'

/**
 * The highest counter of a bundle that the log holds, read from its end; 0 for none. Asked only
 * when the counter file is lost: issuing a lower one would look like a rollback to every gate.
 */
export async function highestLoggedCounter(reader: LogReader): Promise<number> {
  const size = (await reader.checkpoint())?.size ?? 0
  for (let end = size; end > 0; end -= leavesPerReadMax) {
    const leaves = await reader.read(Math.max(0, end - leavesPerReadMax), end, size)
    const counters = leaves
      .filter((leaf) => leaf.kind === 'bundle')
      .map((leaf) => numberOf(leaf.public['counter']))
    if (counters.length > 0) return Math.max(...counters)
  }
  return 0
}

/** The log's first entries say which keys it began with: public halves and ids only. */
export async function noteFirstKeys(
  root: RootFile,
  keys: ControlKeys,
  world: World,
  append: (draft: EntryDraft) => Promise<void>,
): Promise<void> {
  const publicKeys = [
    ...root.logKeys.map((key) => ({ role: 'log', ...key })),
    ...root.bundleKeys.map((key) => ({ role: 'bundle', ...key })),
    ...root.approvers.map(({ keyId, publicKey }) => ({ role: 'approver', keyId, publicKey })),
    { role: 'pseudonym', keyId: keys.pseudonym.keyId },
    { role: 'sealing', keyId: keys.sealing.keyId },
  ]
  await append({
    kind: 'key',
    atMs: world.nowMs(),
    subject: null,
    public: { event: 'root', version: root.version, threshold: root.threshold, keys: publicKeys },
    private: {},
  })
}

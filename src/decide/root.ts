import type { RootFile } from '#words/bundle.ts'
import type { Approval } from '#words/decision.ts'
import { Fault } from '#words/faults.ts'
import { approvalHolds } from './approval.ts'
import { firstComplaint, rootShape } from './bundle-shape.ts'
import { keyIdOf, publicKeyOf } from './keys.ts'

/**
 * Reads the file that is pinned at install: whose signatures count.
 *
 * Fails closed: a key id that is not the key's, one key under two names, or a threshold that the
 * approvers cannot reach throws `bundle-invalid`.
 */
export function parseRoot(text: string): RootFile {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw rootFault('it is not JSON', cause)
  }
  const parsed = rootShape.safeParse(value)
  if (!parsed.success) throw rootFault(firstComplaint(parsed.error))
  const root: RootFile = parsed.data
  for (const key of [...root.bundleKeys, ...root.logKeys, ...root.approvers]) {
    try {
      publicKeyOf(key.publicKey)
    } catch (cause) {
      throw rootFault(`key ${key.keyId} cannot be read`, cause)
    }
    if (keyIdOf(key.publicKey) !== key.keyId) throw rootFault(`key ${key.keyId} has another id`)
  }
  const approverKeys = new Set(root.approvers.map((approver) => approver.publicKey))
  if (approverKeys.size !== root.approvers.length) throw rootFault('one approver is listed twice')
  if (approverKeys.size < root.threshold) {
    throw rootFault(`threshold ${root.threshold} is more than ${approverKeys.size} approvers`)
  }
  return root
}

/** What the approvers of the old root sign to hand over to the next one. */
export function shownRoot(next: RootFile): string {
  const names = next.approvers.map((approver) => `${approver.name} (${approver.keyId})`)
  return (
    `Root file version ${next.version} of ${next.origin}: ${next.threshold} of ` +
    `${names.join(', ')}; bundle keys ${next.bundleKeys.map((key) => key.keyId).join(', ')}`
  )
}

/** Throws unless `threshold` approvers of the old root signed exactly the next version. */
export function checkRootSuccession(before: RootFile, next: RootFile, approval: Approval): void {
  if (next.origin !== before.origin) throw rootFault(`it is for ${next.origin}`)
  if (next.version !== before.version + 1) {
    throw rootFault(`version ${next.version} cannot follow version ${before.version}`)
  }
  if (!approvalHolds(approval, next, before)) {
    throw rootFault(`fewer than ${before.threshold} approvers of the old root signed it`)
  }
}

function rootFault(why: string, cause?: unknown): Fault {
  return new Fault('bundle-invalid', { outward: `The root file is refused: ${why}.`, cause })
}

import type { DecisionsPart, RootFile } from '#words/bundle.ts'
import { canonicalJson } from '#words/canonical.ts'
import type { Decision } from '#words/decision.ts'
import { permits } from '#words/decision.ts'
import { Fault } from '#words/faults.ts'
import { approvalHolds, groundSigned } from './approval.ts'
import type { OpenedBundle } from './bundle.ts'
import { latestEnd } from './instants.ts'

/** What outlives the bundle file: the highest counter that this gate ever took. */
export type SeenBundle = {
  readonly counter: number
  readonly digest: string
  readonly issuedAtMs: number
}

type Entry = DecisionsPart['decisions'][number]

/**
 * May this bundle take the place of the one before?
 *
 * Control's signature alone can tighten, never loosen. The attacker is control itself, or whoever
 * holds its key: it may add prohibitions, revoke and issue tokens, and withdraw approvals. It may
 * not add or change an approval, lift or change a prohibition, or touch the ground part without
 * `threshold` signatures of approvers over exactly the new form.
 *
 * Throws `bundle-rollback` (an older counter, or two bundles with one counter) and
 * `bundle-unsigned-loosening`. `nowMs` lets restricting decisions that are over be dropped; without
 * it they must stay.
 */
export function checkSuccession(
  before: OpenedBundle | null,
  next: OpenedBundle,
  root: RootFile,
  also: { readonly seen?: SeenBundle | null; readonly nowMs?: number } = {},
): void {
  checkCounter(before, next, also.seen ?? null)
  checkGround(before, next, root)

  const earlier = new Map<string, Entry>()
  for (const entry of before?.parts.decisions.decisions ?? []) earlier.set(entry.decision.id, entry)
  for (const entry of next.parts.decisions.decisions) {
    const was = earlier.get(entry.decision.id)
    earlier.delete(entry.decision.id)
    if (was !== undefined && canonicalJson(was) === canonicalJson(entry)) continue
    if (was !== undefined) checkChange(was.decision, entry, root)
    if (permits(entry.decision.status)) checkPermit(entry, root)
  }
  for (const { decision } of earlier.values()) checkDropped(decision, next, also.nowMs)
}

function checkCounter(
  before: OpenedBundle | null,
  next: OpenedBundle,
  seen: SeenBundle | null,
): void {
  const highest = [seen, before && { ...before.manifest, digest: before.digest }]
  for (const one of highest) {
    if (one === null) continue
    const { counter } = next.manifest
    if (counter > one.counter || (counter === one.counter && next.digest === one.digest)) continue
    throw new Fault('bundle-rollback', {
      outward:
        counter === one.counter
          ? `Two different bundles carry the counter ${counter}.`
          : `The bundle has counter ${counter}, this gate has already seen ${one.counter}.`,
    })
  }
}

function checkGround(before: OpenedBundle | null, next: OpenedBundle, root: RootFile): void {
  const ground = next.parts.ground
  const was = before?.parts.ground
  if (before !== null && before.manifest.parts.ground === next.manifest.parts.ground) return
  if (!approvalHolds(ground.approval, groundSigned(ground), root)) {
    throw unsigned('The ground part (catalog, policies, sites) was changed')
  }
  // An older ground part carries good signatures too; only its revision tells that it is stale.
  if (was?.revision !== undefined && (ground.revision ?? -1) < was.revision) {
    throw unsigned('The ground part is an older revision')
  }
}

function checkChange(was: Decision, entry: Entry, root: RootFile): void {
  const now = entry.decision
  if (permits(was.status) && onlyWithdrawn(was, now)) return
  if (!permits(was.status) && !approvalHolds(entry.approval, now, root)) {
    throw unsigned(`Decision ${now.id} restricts and was changed`)
  }
  if (was.withdrawnAtMs !== undefined && permits(was.status) && permits(now.status)) {
    // The signature under the un-withdrawn form is still good: an id does not come back.
    throw unsigned(`Decision ${now.id} was withdrawn and comes back; give it a new id`)
  }
  if (was.revision !== undefined && (now.revision ?? -1) <= was.revision) {
    throw unsigned(`Decision ${now.id} is not a later revision`)
  }
}

/** The only difference is an earlier (or first) withdrawal: an approval may always be withdrawn. */
function onlyWithdrawn(was: Decision, now: Decision): boolean {
  const { withdrawnAtMs: wasAt = Infinity, ...wasRest } = was
  const { withdrawnAtMs: nowAt = Infinity, ...nowRest } = now
  return nowAt <= wasAt && canonicalJson(wasRest) === canonicalJson(nowRest)
}

function checkPermit({ decision, approval }: Entry, root: RootFile): void {
  if (approvalHolds(approval, decision, root)) return
  const { withdrawnAtMs, ...standing } = decision
  if (withdrawnAtMs !== undefined && approvalHolds(approval, standing, root)) return
  throw unsigned(`Decision ${decision.id} permits (${decision.status})`)
}

function checkDropped(decision: Decision, next: OpenedBundle, nowMs: number | undefined): void {
  const ended =
    nowMs !== undefined &&
    latestEnd(decision, next.parts.ground.sites) < Math.min(nowMs, next.manifest.issuedAtMs)
  if (ended) return
  if (!permits(decision.status)) {
    throw unsigned(`Decision ${decision.id} restricts and is gone; withdraw it instead`)
  }
  // With revisions, forgetting an approval would let its old signatures be played again.
  if (decision.revision !== undefined) {
    throw unsigned(`Decision ${decision.id} is gone; withdraw it instead`)
  }
}

function unsigned(what: string): Fault {
  return new Fault('bundle-unsigned-loosening', {
    outward: `${what}, without the signatures that the root file asks for.`,
  })
}

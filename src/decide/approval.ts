import type { KeyObject } from 'node:crypto'
import type { GroundPart, RootFile } from '#words/bundle.ts'
import { canonicalJson } from '#words/canonical.ts'
import type { Approval, Decision, Scope, When } from '#words/decision.ts'
import { instantText } from '#words/clock.ts'
import { publicKeyOf, sha256Hex, signText, signatureHolds } from './keys.ts'
import { subjectText } from './subject.ts'

/**
 * What approvers sign: the words they were shown and the thing itself, bound together.
 *
 * The attacker is a control plane that shows one thing and has another signed: both stand in the
 * signed text, so the lie stays readable for ever.
 */
export function approvalText(shown: string, what: unknown): string {
  return canonicalJson({ shown, what })
}

export function signApproval(
  shown: string,
  what: unknown,
  keys: readonly { readonly keyId: string; readonly privateKey: KeyObject }[],
): Approval {
  const text = approvalText(shown, what)
  return {
    shown,
    signatures: keys.map(({ keyId, privateKey }) => ({
      keyId,
      signature: signText(text, privateKey),
    })),
  }
}

/**
 * True when at least `threshold` different approvers of the root signed exactly this.
 *
 * Fails closed: an unknown key id, a second signature of one approver or a broken one counts for
 * nothing; it never makes the others invalid.
 */
export function approvalHolds(approval: Approval | null, what: unknown, root: RootFile): boolean {
  if (approval === null) return false
  const text = approvalText(approval.shown, what)
  const signers = new Set<string>()
  for (const { keyId, signature } of approval.signatures) {
    const approver = root.approvers.find((one) => one.keyId === keyId)
    // By key, not by name or id: one person listed twice is one approver.
    if (approver === undefined || signers.has(approver.publicKey)) continue
    if (signatureHolds(text, signature, publicKeyOf(approver.publicKey))) {
      signers.add(approver.publicKey)
    }
  }
  return root.threshold >= 1 && signers.size >= root.threshold
}

/** The decision in plain words, every field that can loosen on a line of its own. */
export function shownDecision(decision: Decision): string {
  const lines = [
    `Decision ${decision.id}: ${subjectText(decision.subject)} is ${decision.status}`,
    `profile: ${decision.profile}`,
    `from: ${whenText(decision.effectiveFrom)}`,
    `until: ${decision.effectiveUntil ? whenText(decision.effectiveUntil) : 'no end'}`,
    `for: ${scopeText(decision.scope)}`,
  ]
  if (decision.announceFrom) lines.push(`announced from: ${whenText(decision.announceFrom)}`)
  if (decision.custody) lines.push(`custody at least: ${decision.custody}`)
  if (decision.level) lines.push(`level at least: ${decision.level}`)
  if (decision.revision !== undefined) lines.push(`revision: ${decision.revision}`)
  if (decision.withdrawnAtMs !== undefined) {
    lines.push(`withdrawn at: ${instantText(decision.withdrawnAtMs)}`)
  }
  const cut = decision.openStreams
  lines.push(
    `open streams: ${cut.kind === 'finish' ? 'finish' : `cut after ${cut.afterSeconds} s`}`,
  )
  for (const condition of decision.conditions) lines.push(`condition: ${condition}`)
  for (const { tool, note } of decision.alternatives) {
    lines.push(`instead: ${tool}${note ? ` (${note})` : ''}`)
  }
  if (decision.removalDeadline) lines.push(`remove by: ${whenText(decision.removalDeadline)}`)
  lines.push(`because: ${decision.rationale}`)
  for (const digest of decision.evidence) lines.push(`evidence: ${digest}`)
  lines.push(`owner: ${decision.owner}`, `approvers: ${decision.approvers.join(', ')}`)
  return lines.join('\n')
}

/** The ground part in plain words: counts and digests, the texts themselves are in the bundle. */
export function shownGround(ground: GroundPart): string {
  const { catalog } = ground
  const lines = [
    `Ground: ${catalog.tools.length} tools, ${catalog.providers.length} providers, ` +
      `${catalog.families.length} model families`,
    `catalog sha-256: ${sha256Hex(canonicalJson(catalog))}`,
    `schema sha-256: ${sha256Hex(ground.schema)}`,
  ]
  for (const name of Object.keys(ground.policies).sort()) {
    lines.push(`policies ${name} sha-256: ${sha256Hex(ground.policies[name] ?? '')}`)
  }
  for (const site of ground.sites) lines.push(`site ${site.id}: ${site.timeZone}, ${site.country}`)
  lines.push(
    `classifications: ${Object.keys(ground.classifications).length} repositories, ` +
      `sha-256 ${sha256Hex(canonicalJson(ground.classifications))}`,
    `where no decision says a profile: ${ground.defaultProfile}`,
    `hosts outside the catalog: ${ground.otherHosts}`,
    `shared hosts that are read: ${ground.sharedHostsOn.join(', ') || 'none'}`,
  )
  if (ground.revision !== undefined) lines.push(`revision: ${ground.revision}`)
  return lines.join('\n')
}

/** What approvers sign of the ground part: all of it but their own signatures. */
export function groundSigned(ground: GroundPart): Omit<GroundPart, 'approval'> {
  const { approval: _, ...rest } = ground
  return rest
}

function whenText(when: When): string {
  return when.kind === 'instant' ? instantText(when.ms) : `${when.date} 00:00 at each site`
}

function scopeText(scope: Scope): string {
  const parts: string[] = []
  for (const [name, values] of Object.entries(scope)) {
    parts.push(`${name} ${values.join(' or ') || 'none at all'}`)
  }
  return parts.join('; ') || 'everyone, everywhere'
}

import { expect, test } from 'vitest'
import type { BundleParts } from '#words/bundle.ts'
import type { Approval, Decision } from '#words/decision.ts'
import { approvalHolds, shownDecision, signApproval } from './approval.ts'
import { checkSuccession, openBundle, sealBundle } from './bundle.ts'
import { checkRootSuccession, parseRoot, shownRoot } from './root.ts'
import {
  sampleBundle,
  sampleDecision,
  sampleKeys,
  sampleNowMs,
  sampleParts,
} from './sample-bundle.ts'

const keys = sampleKeys()
const allow = sampleDecision({ id: 'dec-a', subject: { kind: 'tool', tool: 'claude-code' } })
const ban = { ...allow, id: 'dec-b' as never, status: 'prohibited' as const }
const base = sampleParts(keys, [allow, ban])
const before = sampleBundle(keys, base, 5)
const code = (name: string) => expect.objectContaining({ code: name })

/** The next bundle with the entries of the one before, changed by control alone. */
function next(
  change: (entries: Entry[]) => Entry[],
  counter = 6,
  parts: Partial<BundleParts> = {},
) {
  const decisions = { decisions: change([...base.decisions.decisions]) }
  return sampleBundle(keys, { ...base, decisions, ...parts }, counter)
}
type Entry = { decision: Decision; approval: Approval | null }
const approve = (decision: Decision, count = 2): Entry => ({
  decision,
  approval: signApproval(shownDecision(decision), decision, keys.approvers.slice(0, count)),
})
const succeed = (bundle: ReturnType<typeof next>, also = {}) =>
  checkSuccession(before, bundle, keys.root, also)

test('a bundle comes back as it was sealed', () => {
  expect(before.parts).toEqual(base)
  expect(before.digest).toMatch(/^[0-9a-f]{64}$/)
  expect(() => checkSuccession(null, before, keys.root)).not.toThrow()
})

test('what was altered, by another key or of another format is refused', () => {
  const seal = () =>
    sealBundle(
      { origin: keys.root.origin, counter: 1, issuedAtMs: 1, validUntilMs: 2, parts: base },
      keys.control,
    )
  const refused = (sealed: object) =>
    expect(() => openBundle(JSON.stringify(sealed), keys.root)).toThrow(code('bundle-invalid'))
  const good = seal()
  refused({ ...good, manifest: { ...good.manifest, counter: 2 } })
  refused({ ...good, parts: { ...good.parts, revocations: '{}' } })
  refused({ ...good, keyId: sampleKeys().control.keyId })
  refused({ ...good, manifest: { ...good.manifest, format: 'postern-bundle/2' } })
  refused({ ...good, more: 1 })
  refused({
    ...good,
    signature: good.signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
  })
  expect(() => openBundle('{', keys.root)).toThrow(code('bundle-invalid'))
})

test('the counter rises, also over what the seen file remembers', () => {
  expect(() => succeed(next((all) => all, 4))).toThrow(code('bundle-rollback'))
  expect(() => succeed(before)).not.toThrow()
  const twin = next(
    (all) => [...all, { decision: { ...ban, id: 'x' as never }, approval: null }],
    5,
  )
  expect(() => succeed(twin)).toThrow(code('bundle-rollback'))
  const seen = { counter: 9, digest: 'd', issuedAtMs: 0 }
  expect(() =>
    succeed(
      next((all) => all, 8),
      { seen },
    ),
  ).toThrow(code('bundle-rollback'))
})

test('control alone may tighten', () => {
  const more = { ...ban, id: 'dec-c' as never }
  const withdrawn = { ...allow, withdrawnAtMs: sampleNowMs }
  const revocations = { ...base.revocations, users: ['mei' as never] }
  for (const bundle of [
    next((all) => [...all, { decision: more, approval: null }]),
    next(([a, b]) => [{ decision: withdrawn, approval: a!.approval }, b!]),
    next(([, b]) => [b!]),
    next((all) => all, 6, { revocations }),
  ]) {
    expect(() => succeed(bundle)).not.toThrow()
  }
})

test('control alone may not loosen', () => {
  const other = { ...allow, id: 'dec-c' as never }
  const wider: Decision = { ...allow, profile: 'observe' }
  const softer: Decision = { ...ban, profile: 'observe' }
  const lifted: Decision = { ...ban, withdrawnAtMs: sampleNowMs }
  const attempts: ((all: Entry[]) => Entry[])[] = [
    (all) => [...all, { decision: other, approval: null }],
    (all) => [...all, approve(other, 1)],
    (all) => [...all, { decision: other, approval: approve(allow).approval }],
    ([a, b]) => [{ decision: wider, approval: a!.approval }, b!],
    ([a]) => [a!, { decision: softer, approval: null }],
    ([a]) => [a!, { decision: lifted, approval: null }],
    ([a]) => [a!],
  ]
  for (const attempt of attempts) {
    expect(() => succeed(next(attempt))).toThrow(code('bundle-unsigned-loosening'))
  }
  const ground = { ...base.ground, defaultProfile: 'observe' as const }
  expect(() => succeed(next((all) => all, 6, { ground }))).toThrow(
    code('bundle-unsigned-loosening'),
  )
  succeed(next(([a]) => [a!, approve(lifted)]))
  succeed(next((all) => [...all, approve(other)]))
})

test('an approval that was withdrawn does not come back under its old signatures', () => {
  const withdrawn = { ...allow, withdrawnAtMs: sampleNowMs }
  const gone = next(([a, b]) => [{ decision: withdrawn, approval: a!.approval }, b!])
  const back = next((all) => all, 7)
  expect(() => checkSuccession(gone, back, keys.root)).toThrow(code('bundle-unsigned-loosening'))
})

test('with revisions, no signed decision of yesterday is played again', () => {
  const first = { ...allow, revision: 1 }
  const second: Decision = { ...allow, revision: 2, profile: 'warn' }
  const old = next(([, b]) => [approve(first), b!], 6)
  const now = next(([, b]) => [approve(second), b!], 7)
  checkSuccession(old, now, keys.root)
  const replayed = next(([, b]) => [approve(first), b!], 8)
  const forgotten = next(([, b]) => [b!], 8)
  for (const bad of [replayed, forgotten]) {
    expect(() => checkSuccession(now, bad, keys.root)).toThrow(code('bundle-unsigned-loosening'))
  }
})

test('a restriction that is over may be dropped, by the clock of the gate', () => {
  const ended: Decision = { ...ban, effectiveUntil: { kind: 'instant', ms: sampleNowMs - 1 } }
  const old = next(([a]) => [a!, { decision: ended, approval: null }], 6)
  const dropped = next(([a]) => [a!], 7)
  const nowMs = sampleNowMs + 1
  expect(() => checkSuccession(null, old, keys.root)).not.toThrow()
  expect(() => checkSuccession(old, dropped, keys.root, { nowMs })).not.toThrow()
  expect(() => checkSuccession(old, dropped, keys.root)).toThrow(code('bundle-unsigned-loosening'))
})

test('one approver who signs twice is one approver', () => {
  const [one] = keys.approvers
  const twice = signApproval('shown', { a: 1 }, [one!, one!])
  expect(approvalHolds(twice, { a: 1 }, keys.root)).toBe(false)
  const two = signApproval('shown', { a: 1 }, keys.approvers.slice(1))
  expect(approvalHolds(two, { a: 1 }, keys.root)).toBe(true)
  expect(approvalHolds({ ...two, shown: 'other' }, { a: 1 }, keys.root)).toBe(false)
  expect(approvalHolds(two, { a: 2 }, keys.root)).toBe(false)
})

test('the root file is checked, and handed over only by its own approvers', () => {
  const { root } = keys
  expect(parseRoot(JSON.stringify(root))).toEqual(root)
  for (const bad of [
    { ...root, threshold: 4 },
    { ...root, approvers: [root.approvers[0], root.approvers[0]] },
    { ...root, bundleKeys: [{ ...root.bundleKeys[0], keyId: '0'.repeat(16) }] },
    { ...root, format: 'postern-root/2' },
  ]) {
    expect(() => parseRoot(JSON.stringify(bad))).toThrow(code('bundle-invalid'))
  }
  const after = { ...root, version: 2, threshold: 1 }
  const signed = (count: number) =>
    signApproval(shownRoot(after), after, keys.approvers.slice(0, count))
  checkRootSuccession(root, after, signed(2))
  expect(() => checkRootSuccession(root, after, signed(1))).toThrow(code('bundle-invalid'))
})

import { createPrivateKey, createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { writeDurably } from '#blob/durable.ts'
import { approvalHolds, shownDecision, shownGround, signApproval } from '#decide/approval.ts'
import { keyIdOf, publicKeyText } from '#decide/keys.ts'
import type { GroundPart, RootFile } from '#words/bundle.ts'
import type { Approval } from '#words/decision.ts'
import { Fault } from '#words/faults.ts'
import { digestOf } from './changes.ts'
import type { ToSign } from './changes.ts'

export type ApproverKey = { readonly keyId: string; readonly privateKey: KeyObject }

const approvalFileSchema = z.strictObject({
  format: z.literal('postern-approval/1'),
  about: z.string().max(200),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  shown: z.string().max(1_000_000),
  keyId: z.string().regex(/^[0-9a-f]{16}$/),
  signature: z.string().max(200),
})

export type ApprovalFile = z.infer<typeof approvalFileSchema>

const filesMax = 100_000

/** Reads an approver's Ed25519 key (PKCS #8 PEM). Refuses one that others may read. */
export function readApproverKey(path: string): ApproverKey {
  let pem: string
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new Fault('key-missing', {
        outward: `The key ${path} is not used: others may read it; its mode must be 600.`,
      })
    }
    pem = readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw new Fault('key-missing', { outward: `The key ${path} cannot be read.`, cause })
  }
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(pem)
  } catch (cause) {
    throw new Fault('key-missing', { outward: `${path} is not a private key in PEM form.`, cause })
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') {
    throw new Fault('key-missing', { outward: `${path} is not an Ed25519 key.` })
  }
  return { keyId: keyIdOf(publicKeyText(createPublicKey(privateKey))), privateKey }
}

/**
 * Signs what was shown, with the words made here from the thing itself.
 *
 * Throws `not-permitted` when the words that came along are others: a control plane that shows one
 * thing and wants another signed.
 */
export function signShown(what: ToSign, key: ApproverKey): ApprovalFile {
  const shown =
    'catalog' in what.what
      ? shownGround({ ...what.what, approval: null } satisfies GroundPart)
      : shownDecision(what.what)
  const digest = digestOf(shown, what.what)
  if (shown !== what.shown || digest !== what.digest) {
    throw new Fault('not-permitted', {
      outward: `What is shown for ${what.about} is not what would be signed; nothing was signed.`,
    })
  }
  const [signature] = signApproval(shown, what.what, [key]).signatures
  return {
    format: 'postern-approval/1',
    about: what.about,
    digest,
    shown,
    keyId: key.keyId,
    signature: signature?.signature ?? '',
  }
}

export async function writeApproval(dir: string, file: ApprovalFile): Promise<string> {
  const path = join(dir, `${file.digest.slice(0, 24)}-${file.keyId}.json`)
  await writeDurably(path, `${JSON.stringify(file, null, 2)}\n`)
  return path
}

export function parseApproval(value: unknown, name: string): ApprovalFile {
  const parsed = approvalFileSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new Fault('register-invalid', { outward: `${name} is not an approval file of format 1.` })
}

/** Approval files of a folder by the digest of what they sign. */
export function readApprovals(dir: string): ReadonlyMap<string, readonly ApprovalFile[]> {
  const found = new Map<string, ApprovalFile[]>()
  const names = existsSync(dir) ? readdirSync(dir).filter((name) => name.endsWith('.json')) : []
  if (names.length > filesMax) {
    throw new Fault('register-invalid', { outward: `${dir} has more than ${filesMax} files.` })
  }
  for (const name of names.sort()) {
    const path = join(dir, name)
    const file = parseApproval(parseJson(path), path)
    found.set(file.digest, [...(found.get(file.digest) ?? []), file])
  }
  return found
}

/** The approval that these files make up; null while signatures are missing. */
export function combineApprovals(
  what: ToSign,
  files: readonly ApprovalFile[],
  root: RootFile,
): { readonly approval: Approval | null; readonly signers: readonly string[] } {
  const signatures = files
    .filter((file) => file.digest === what.digest && file.shown === what.shown)
    .map(({ keyId, signature }) => ({ keyId, signature }))
  const approval = { shown: what.shown, signatures }
  const signers = root.approvers
    .filter((approver) =>
      approvalHolds(approval, what.what, { ...root, approvers: [approver], threshold: 1 }),
    )
    .map((approver) => approver.name)
  return { approval: approvalHolds(approval, what.what, root) ? approval : null, signers }
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new Fault('register-invalid', { outward: `${path} is not JSON.`, cause })
  }
}

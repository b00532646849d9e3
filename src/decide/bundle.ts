import type { KeyObject } from 'node:crypto'
import type {
  BundleManifest,
  BundleParts,
  PartName,
  RootFile,
  SealedBundle,
} from '#words/bundle.ts'
import { canonicalJson } from '#words/canonical.ts'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { firstComplaint, partsShape, sealedShape } from './bundle-shape.ts'
import { publicKeyOf, sha256Hex, signText, signatureHolds } from './keys.ts'

export { checkSuccession } from './succession.ts'

/** A bundle whose signature, digests and shape were checked; its *loosening* was not: see `checkSuccession`. */
export type OpenedBundle = {
  readonly manifest: BundleManifest
  readonly parts: BundleParts
  /** Lower-case hex SHA-256 of the canonical manifest: one name for all that is inside. */
  readonly digest: string
}

const partNames: readonly PartName[] = ['ground', 'decisions', 'principals', 'revocations']

export function sealBundle(
  input: {
    readonly origin: string
    readonly counter: number
    readonly issuedAtMs: number
    readonly validUntilMs: number
    readonly parts: BundleParts
  },
  key: { readonly keyId: string; readonly privateKey: KeyObject },
): SealedBundle {
  const texts = eachPart((name) => canonicalJson(input.parts[name]))
  const manifest: BundleManifest = {
    format: 'postern-bundle/1',
    origin: input.origin,
    counter: input.counter,
    issuedAtMs: input.issuedAtMs,
    validUntilMs: input.validUntilMs,
    parts: eachPart((name) => sha256Hex(texts[name])),
  }
  return {
    manifest,
    parts: texts,
    signature: signText(canonicalJson(manifest), key.privateKey),
    keyId: key.keyId,
  }
}

/**
 * Opens what control sent or what lies on the gate's disk.
 *
 * Fails closed with `bundle-invalid`: too large, another format or origin, a key that the pinned
 * root does not name, a wrong signature, a part that is not the one signed, or a member that this
 * version does not know. Not checked here: age (the decider does, at every request), counter and
 * approvals (`checkSuccession`).
 */
export function openBundle(text: string, root: RootFile): OpenedBundle {
  if (Buffer.byteLength(text) > limits.bundleBytesMax) throw refused('it is too large')
  const sealed = sealedShape.safeParse(parseJson(text, 'it is not JSON'))
  if (!sealed.success) throw refused(firstComplaint(sealed.error))
  const { manifest, parts, signature, keyId } = sealed.data
  const signed = canonicalJson(manifest)
  const key = root.bundleKeys.find((one) => one.keyId === keyId)
  if (key === undefined) throw refused(`the root file does not name the key ${keyId}`)
  if (!signatureHolds(signed, signature, publicKeyOf(key.publicKey))) {
    throw refused('its signature is wrong')
  }
  if (manifest.origin !== root.origin) throw refused(`it is for ${manifest.origin}`)

  const values = eachPart((name) => {
    if (sha256Hex(parts[name]) !== manifest.parts[name]) {
      throw refused(`the part ${name} is not the one that was signed`)
    }
    const value = parseJson(parts[name], `the part ${name} is not JSON`)
    // One spelling: duplicate members and other texts on which two readers differ end here.
    if (canonicalJson(value) !== parts[name]) throw refused(`the part ${name} is not canonical`)
    return value
  })
  const shaped = partsShape.safeParse(values)
  if (!shaped.success) throw refused(firstComplaint(shaped.error))
  const opened = values as unknown as BundleParts
  const seen = new Set<string>()
  for (const { decision } of opened.decisions.decisions) {
    if (seen.has(decision.id)) throw refused(`decision ${decision.id} is there twice`)
    seen.add(decision.id)
  }
  return { manifest, parts: opened, digest: sha256Hex(signed) }
}

function eachPart<Value>(make: (name: PartName) => Value): Record<PartName, Value> {
  return Object.fromEntries(partNames.map((name) => [name, make(name)])) as Record<PartName, Value>
}

function parseJson(text: string, complaint: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw refused(complaint, cause)
  }
}

function refused(why: string, cause?: unknown): Fault {
  return new Fault('bundle-invalid', { outward: `The bundle is refused: ${why}.`, cause })
}

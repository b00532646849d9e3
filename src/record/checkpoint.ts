import type { KeyObject } from 'node:crypto'
import { Fault } from '#words/faults.ts'
import { hashBytes } from './hashing.ts'
import { ed25519Type, parseNote, signNote, verifyNote } from './note.ts'
import type { Note, Signed, VerifierKey } from './note.ts'

/** A log's signed head (C2SP tlog-checkpoint): origin, size, root. */
export type Checkpoint = {
  readonly origin: string
  readonly size: number
  readonly root: Buffer
  readonly note: Note
  /** The signed note as it was read, byte for byte. */
  readonly source: string
}

export function checkpointText(origin: string, size: number, root: Buffer): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`
}

export function signCheckpoint(origin: string, size: number, root: Buffer, key: KeyObject): string {
  return signNote(checkpointText(origin, size, root), origin, key)
}

/** Reads a checkpoint without believing it. Throws `log-invalid`. */
export function parseCheckpoint(source: string): Checkpoint {
  const note = parseNote(source)
  const [origin, sizeText, rootText, ...more] = note.text.slice(0, -1).split('\n')
  const root = Buffer.from(rootText ?? '', 'base64')
  const size = Number(sizeText)
  if (
    origin === undefined ||
    origin === '' ||
    !/^(0|[1-9]\d{0,15})$/.test(sizeText ?? '') ||
    !Number.isSafeInteger(size) ||
    root.length !== hashBytes ||
    root.toString('base64') !== rootText ||
    more.includes('')
  ) {
    throw new Fault('log-invalid', { outward: 'This is not a checkpoint of a log.' })
  }
  return { origin, size, root, note, source }
}

/**
 * Reads a checkpoint and believes it: signed by `logKey`, of that log. Tells the witnesses among
 * `witnesses` that stand behind it. Throws `log-invalid`.
 */
export function openCheckpoint(
  source: string,
  logKey: VerifierKey,
  witnesses: readonly VerifierKey[] = [],
): Checkpoint & { readonly witnesses: readonly Signed[] } {
  const checkpoint = parseCheckpoint(source)
  if (checkpoint.origin !== logKey.name) {
    throw new Fault('log-invalid', {
      outward: `The checkpoint is of the log ${checkpoint.origin}, not of ${logKey.name}.`,
    })
  }
  const signed = verifyNote(checkpoint.note, [logKey, ...witnesses])
  if (!signed.some(({ key }) => key === logKey && key.type === ed25519Type)) {
    throw new Fault('log-invalid', { outward: 'The checkpoint is not signed by the log.' })
  }
  return { ...checkpoint, witnesses: signed.filter(({ key }) => key !== logKey) }
}

import { parseCheckpoint } from './checkpoint.ts'
import type { LogSource } from './log-source.ts'
import { parseSignatureLine, signatureLine, verifyNote } from './note.ts'
import type { VerifierKey } from './note.ts'
import { tileNodes } from './tiles.ts'
import { proveConsistency } from './tree.ts'

/** Asks witnesses for cosignatures (C2SP tlog-witness, client side). */
export type Witnesses = {
  /** Signature lines that verify; a witness that is away or refuses gives none. */
  cosign(checkpoint: string, source: LogSource): Promise<string[]>
}

export type WitnessAddress = { readonly url: string; readonly key: VerifierKey }

const answerMsMax = 5_000
const answerBytesMax = 16 * 1024

export function createWitnesses(
  witnesses: readonly WitnessAddress[],
  onRefusal: (witness: string, why: string) => void,
): Witnesses {
  /** Size that each witness cosigned last, as far as we know. */
  const known = new Map<string, number>()

  async function ask(
    witness: WitnessAddress,
    checkpoint: string,
    source: LogSource,
  ): Promise<string | null> {
    const { size, note } = parseCheckpoint(checkpoint)
    for (let attempt = 0; attempt < 2; attempt++) {
      const old = known.get(witness.key.name) ?? 0
      const proof = old > size ? [] : await proveConsistency(tileNodes(source, size), old, size)
      const body = `old ${old}\n${proof.map((hash) => `${hash.toString('base64')}\n`).join('')}\n${checkpoint}`
      const answer = await fetch(`${witness.url.replace(/\/+$/, '')}/add-checkpoint`, {
        method: 'POST',
        body,
        redirect: 'error',
        signal: AbortSignal.timeout(answerMsMax),
      })
      const text = (await answer.text()).slice(0, answerBytesMax)
      if (answer.status === 409 && /^\d{1,16}\n$/.test(text)) {
        known.set(witness.key.name, Number(text))
        continue
      }
      if (answer.status !== 200) {
        onRefusal(witness.key.name, `${answer.status} ${text.slice(0, 200)}`)
        return null
      }
      const lines = text.split('\n').flatMap((row) => parseSignatureLine(row) ?? [])
      const mine = lines.find(({ name, keyId }) => {
        return name === witness.key.name && keyId === witness.key.keyId
      })
      // Only what verifies is moved to our view of the checkpoint.
      if (!mine || verifyNote({ text: note.text, lines: [mine] }, [witness.key]).length === 0) {
        return null
      }
      known.set(witness.key.name, size)
      return signatureLine(mine.name, mine.keyId, mine.signature)
    }
    return null
  }

  return {
    async cosign(checkpoint, source) {
      const lines = await Promise.all(
        witnesses.map(async (witness) => {
          try {
            return await ask(witness, checkpoint, source)
          } catch (error) {
            onRefusal(witness.key.name, error instanceof Error ? error.message : String(error))
            return null
          }
        }),
      )
      return lines.filter((line) => line !== null)
    },
  }
}

import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { isMissing, writeDurably } from '#blob/durable.ts'
import type { World } from '#words/clock.ts'
import { Fault, isFault } from '#words/faults.ts'
import { parseCheckpoint } from './checkpoint.ts'
import type { Checkpoint } from './checkpoint.ts'
import { emptyRoot, sha256 } from './hashing.ts'
import { cosign, verifyNote } from './note.ts'
import type { VerifierKey } from './note.ts'
import { consistencyHolds } from './tree.ts'

/**
 * A witness (C2SP tlog-witness): signs a log's head only when it grows out of the head that it
 * signed before.
 *
 * Fails closed against the log's operator: a fork (409, or 422 with a proof that does not hold), a
 * rollback, and a head of another key (403) get no signature. The new head is on the disk before
 * the cosignature leaves, so that a crash cannot make it sign two histories.
 */
export type WitnessInput = {
  readonly world: World
  readonly dir: string
  readonly name: string
  readonly key: KeyObject
  /** Keys of the logs that it watches; the name of a key is the log's origin. */
  readonly logs: readonly VerifierKey[]
}

export type Answer = { readonly status: number; readonly type: string; readonly body: string }

export type Witness = {
  addCheckpoint(body: string): Promise<Answer>
  /** The last head of a log with the cosignature, by the SHA-256 of its origin in hex. */
  checkpointOf(originHash: string): Promise<Answer>
}

const proofLinesMax = 63
const bodyBytesMax = 128 * 1024

export function createWitness(input: WitnessInput): Witness {
  mkdirSync(input.dir, { recursive: true, mode: 0o700 })
  /** Compare and store is one step for each log; else two requests could roll a head back. */
  const turns = new Map<string, Promise<unknown>>()
  const pathOf = (origin: string): string => join(input.dir, `${originHash(origin)}.checkpoint`)

  async function lastOf(origin: string): Promise<Checkpoint | null> {
    try {
      return parseCheckpoint(await readFile(pathOf(origin), 'utf8'))
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  async function decide(request: AddRequest, checkpoint: Checkpoint): Promise<Answer> {
    const last = await lastOf(checkpoint.origin)
    const lastSize = last?.size ?? 0
    if (request.old > checkpoint.size) return plain(400, 'the old size is above the new one')
    if (request.old !== lastSize) {
      return { status: 409, type: 'text/x.tlog.size', body: `${lastSize}\n` }
    }
    const lastRoot = last?.root ?? emptyRoot
    const { size, root } = checkpoint
    if (size === 0 && !root.equals(emptyRoot)) return plain(422, 'not the root of an empty tree')
    if (!consistencyHolds(lastSize, lastRoot, size, root, request.proof)) {
      return plain(422, 'the head does not grow out of the one that was cosigned before')
    }
    const atSeconds = Math.floor(input.world.nowMs() / 1000)
    const line = cosign(checkpoint.note.text, input.name, input.key, atSeconds)
    await writeDurably(pathOf(checkpoint.origin), `${request.signed}${line}`)
    return plain(200, line)
  }

  return {
    async addCheckpoint(body) {
      const request = readRequest(body)
      if (!request) return plain(400, 'not an add-checkpoint request')
      let checkpoint: Checkpoint
      try {
        checkpoint = parseCheckpoint(request.checkpoint)
      } catch (error) {
        if (isFault(error)) return plain(400, 'not a checkpoint')
        throw error
      }
      const { origin, note } = checkpoint
      const keys = input.logs.filter(({ name }) => name === origin)
      if (keys.length === 0) return plain(404, 'this log is not watched here')
      if (!isSigned(checkpoint, keys)) return plain(403, 'not signed by the log')
      // Kept for monitors: the log's own line and ours, and no stranger's.
      const own = note.lines.filter((line) => keys.some((key) => key.keyId === line.keyId))
      const signed = `${note.text}\n${own.map(lineText).join('')}`
      const turn = (turns.get(origin) ?? Promise.resolve()).then(() =>
        decide({ ...request, signed }, checkpoint),
      )
      turns.set(
        origin,
        turn.catch(() => undefined),
      )
      return await turn
    },
    async checkpointOf(hash) {
      const known = input.logs.find(({ name }) => originHash(name) === hash)
      const last = known ? await lastOf(known.name) : null
      return last ? plain(200, last.source) : plain(404, 'nothing was cosigned for this log')
    },
  }
}

/** The witness' own key, made at its first start. Throws `key-missing` for one that is broken. */
export async function openWitnessKey(dir: string): Promise<KeyObject> {
  const path = join(dir, 'witness-key.pem')
  try {
    return createPrivateKey(await readFile(path))
  } catch (cause) {
    if (!isMissing(cause)) {
      throw new Fault('key-missing', { outward: `${path} cannot be read.`, cause })
    }
  }
  const { privateKey } = generateKeyPairSync('ed25519')
  await writeDurably(path, privateKey.export({ format: 'pem', type: 'pkcs8' }))
  return privateKey
}

/** The witness over HTTP. Bodies are bounded; there is no other way in. */
export function witnessHandler(witness: Witness) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    answer(witness, request).then(
      ({ status, type, body }) => response.writeHead(status, { 'content-type': type }).end(body),
      () => response.writeHead(500).end(),
    )
  }
}

async function answer(witness: Witness, request: IncomingMessage): Promise<Answer> {
  const path = request.url ?? ''
  if (request.method === 'POST' && path === '/add-checkpoint') {
    const parts: Buffer[] = []
    let length = 0
    for await (const part of request) {
      length += (part as Buffer).length
      if (length > bodyBytesMax) return plain(413, 'too long')
      parts.push(part as Buffer)
    }
    return await witness.addCheckpoint(Buffer.concat(parts).toString())
  }
  const hash = /^\/([0-9a-f]{64})\/checkpoint$/.exec(path)?.[1]
  if (request.method === 'GET' && hash !== undefined) return await witness.checkpointOf(hash)
  return plain(404, 'not here')
}

type AddRequest = {
  readonly old: number
  readonly proof: readonly Buffer[]
  readonly checkpoint: string
  readonly signed: string
}

function readRequest(body: string): AddRequest | null {
  const split = body.indexOf('\n\n')
  if (split < 0) return null
  const [first, ...rows] = body.slice(0, split).split('\n')
  const old = /^old (0|[1-9]\d{0,15})$/.exec(first ?? '')?.[1]
  if (old === undefined || rows.length > proofLinesMax) return null
  const proof = rows.map((row) => Buffer.from(row, 'base64'))
  if (proof.some((hash, at) => hash.length !== 32 || hash.toString('base64') !== rows[at])) {
    return null
  }
  return { old: Number(old), proof, checkpoint: body.slice(split + 2), signed: '' }
}

function isSigned(checkpoint: Checkpoint, keys: readonly VerifierKey[]): boolean {
  try {
    return verifyNote(checkpoint.note, keys).length > 0
  } catch (error) {
    if (isFault(error, 'log-invalid')) return false
    throw error
  }
}

function lineText(line: { name: string; keyId: number; signature: Buffer }): string {
  const id = Buffer.alloc(4)
  id.writeUInt32BE(line.keyId)
  return `— ${line.name} ${Buffer.concat([id, line.signature]).toString('base64')}\n`
}

function originHash(origin: string): string {
  return sha256(Buffer.from(origin)).toString('hex')
}

function plain(status: number, body: string): Answer {
  const text = body.endsWith('\n') ? body : `${body}\n`
  return { status, type: 'text/plain; charset=utf-8', body: text }
}

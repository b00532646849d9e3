import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import { openCheckpoint, signCheckpoint } from './checkpoint.ts'
import { leafHash } from './hashing.ts'
import { openLogWriter } from './log-writer.ts'
import { folderSource } from './log-source.ts'
import { cosignatureType, parseVerifierKey, verifierKeyText } from './note.ts'
import { foldPerfect } from './tiles.ts'
import { proveConsistency, rootOf } from './tree.ts'
import { createWitnesses } from './witness-client.ts'
import { createWitness, witnessHandler } from './witness.ts'

const dir = mkdtempSync(join(tmpdir(), 'postern-witness-'))
afterAll(() => rmSync(dir, { recursive: true }))
const origin = 'postern.example/log'
const name = 'witness.example/w1'
const log = generateKeyPairSync('ed25519')
const own = generateKeyPairSync('ed25519')
const logKey = parseVerifierKey(verifierKeyText(origin, log.publicKey))
const witnessKey = parseVerifierKey(verifierKeyText(name, own.publicKey, cosignatureType))

/** A history of entries; `fork` tells another one from entry 5 on. */
function history(fork: string) {
  const leaves = Array.from({ length: 20 }, (_, at) =>
    leafHash(Buffer.from(`${at < 5 ? '' : fork}${at}`)),
  )
  const nodes = (level: number, index: number) =>
    foldPerfect(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))
  return {
    head: async (size: number) =>
      signCheckpoint(origin, size, await rootOf(nodes, size), log.privateKey),
    proof: async (old: number, size: number) =>
      (await proveConsistency(nodes, old, size)).map((hash) => `${hash.toString('base64')}\n`),
  }
}

const openWitness = (at: string) =>
  createWitness({ world: realWorld, dir: join(dir, at), name, key: own.privateKey, logs: [logKey] })

test('a witness signs growth, and neither a fork, a rollback nor a stranger', async () => {
  const truth = history('')
  const lie = history('lie')
  let witness = openWitness('a')
  const add = async (from: ReturnType<typeof history>, old: number, size: number) =>
    await witness.addCheckpoint(
      `old ${old}\n${(await from.proof(old, size)).join('')}\n${await from.head(size)}`,
    )
  const first = await add(truth, 0, 7)
  expect(first.status).toBe(200)
  const cosigned = (await truth.head(7)) + first.body
  expect(openCheckpoint(cosigned, logKey, [witnessKey]).witnesses).toHaveLength(1)
  expect(await add(truth, 0, 12)).toMatchObject({ status: 409, body: '7\n' })
  expect((await add(lie, 7, 12)).status).toBe(422)
  expect((await add(lie, 7, 7)).status).toBe(422)
  expect((await add(truth, 7, 7)).status).toBe(200)
  expect((await add(truth, 7, 12)).status).toBe(200)
  // What it saw survives a restart; the log cannot go back.
  witness = openWitness('a')
  expect(await add(truth, 5, 7)).toMatchObject({ status: 409, body: '12\n' })
  expect((await witness.addCheckpoint(`old 12\n\n${await truth.head(7)}`)).status).toBe(400)
  expect((await witness.addCheckpoint('old 12\n\nnonsense')).status).toBe(400)
  const other = generateKeyPairSync('ed25519').privateKey
  const forged = signCheckpoint(origin, 13, leafHash(Buffer.from('x')), other)
  expect((await witness.addCheckpoint(`old 12\n\n${forged}`)).status).toBe(403)
  const unknown = signCheckpoint('other.example', 1, leafHash(Buffer.from('x')), other)
  expect((await witness.addCheckpoint(`old 0\n\n${unknown}`)).status).toBe(404)
})

test('of two forks that arrive together a witness signs one', async () => {
  const witness = openWitness('race')
  const answers = await Promise.all(
    ['a', 'b', 'c', 'd'].map(async (fork) =>
      witness.addCheckpoint(`old 0\n\n${await history(fork).head(9)}`),
    ),
  )
  expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([200, 409, 409, 409])
})

test('control finds out what the witness saw and collects its cosignature', async () => {
  const server = createServer(witnessHandler(openWitness('http')))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const folder = join(dir, 'log')
  const writer = await openLogWriter({
    dir: folder,
    origin,
    key: log.privateKey,
    verifier: logKey,
  })
  const entries = Array.from({ length: 300 }, (_, at) => Buffer.from(`entry ${at}`))
  const refusals: string[] = []
  for (const part of [entries.slice(0, 10), entries.slice(10)]) {
    // A new client each time: it starts without knowing what the witness saw.
    const witnesses = createWitnesses([{ url, key: witnessKey }], (_, why) => refusals.push(why))
    await writer.append(part, part.map(leafHash))
    const lines = await witnesses.cosign(writer.checkpoint, folderSource(folder))
    await writer.addSignatures(writer.checkpoint, lines)
    expect(openCheckpoint(writer.checkpoint, logKey, [witnessKey]).witnesses).toHaveLength(1)
  }
  expect(refusals).toEqual([])
  server.close()
  server.closeAllConnections()
})

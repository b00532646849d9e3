import { generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import type { Fault } from '#words/faults.ts'
import type { NodeId } from '#words/ids.ts'
import * as some from '#test/bench/record-fixture.ts'
import type { Ack, ShippedBatch } from './batch.ts'
import { decodeBatch, encodeBatch } from './batch.ts'
import { createLogHandler } from './log-handler.ts'
import { folderSource } from './log-source.ts'
import { parseVerifierKey } from './note.ts'
import { checkedFields } from './openings.ts'
import { checkProofFile, makeProofFile } from './proof-file.ts'
import { openRecorder } from './recorder.ts'
import { createSequencer } from './sequencer.ts'
import type { Sequencer } from './sequencer.ts'
import { createShipper } from './shipping.ts'
import { readBundle } from './tiles.ts'
import { verifyLog } from './verify.ts'

const root = mkdtempSync(join(tmpdir(), 'postern-log-'))
afterAll(() => rmSync(root, { recursive: true }))
let folders = 0

/** A log with its control, and one gate that ships to it. */
function someHouse() {
  const dir = join(root, String(folders++))
  const keys = some.someKeys()
  const controlKey = generateKeyPairSync('ed25519').privateKey
  const alarms: Fault[] = []
  const log = join(dir, 'log')
  const openSequencer = (): Promise<Sequencer> =>
    createSequencer({
      world: realWorld,
      dir: log,
      blobDir: join(dir, 'blob'),
      spoolDir: join(dir, 'control-spool'),
      origin: some.someOrigin,
      logKey: keys.log.privateKey,
      controlKey: keys.control.privateKey,
      node: { id: 'control' as NodeId, signingKey: controlKey },
      pseudonymKey: keys.pseudonymKey,
      atRestKey: keys.atRest,
      nodes: (node) => (node === some.someNode ? keys.node.publicKey : null),
      checkpointIntervalMs: 10,
      onAlarm: (fault) => alarms.push(fault),
    })
  const openGate = async (send: (batch: ShippedBatch) => Promise<Ack>, spool = 'spool') => {
    const spoolDir = join(dir, spool)
    const recorder = await openRecorder(some.recorderInput(spoolDir, keys))
    const shipper = createShipper({
      spoolDir,
      node: some.someNode,
      origin: some.someOrigin,
      nodeKey: keys.node.publicKey,
      logKey: parseVerifierKey(readFileSync(join(log, 'log.vkey'), 'utf8')),
      durable: () => recorder.durable(),
      freed: (bytes) => recorder.freed(bytes),
      send,
    })
    const exchanges = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++) {
        const entry = await recorder.open(
          some.someExchange(at),
          some.someCaller(at),
          some.someContent,
          some.someVerdict,
          some.someDecisionInput(at),
        )
        entry.close(some.someOutcome)
      }
      await recorder.settle()
    }
    return { recorder, shipper, exchanges, spoolDir }
  }
  const logKey = () => parseVerifierKey(readFileSync(join(log, 'log.vkey'), 'utf8'))
  return { dir, log, keys, alarms, openSequencer, openGate, logKey }
}

test('what a gate recorded is in the log, and the log verifies', async () => {
  const house = someHouse()
  const sequencer = await house.openSequencer()
  const gate = await house.openGate((batch) => sequencer.accept(decodeBatch(encodeBatch(batch))))
  await gate.exchanges(150)
  await gate.shipper.drain()
  const before = sequencer.checkpoint()
  await sequencer.append(some.someNote(1, 'alice'))
  await gate.exchanges(10)
  await gate.shipper.drain()
  await sequencer.flush()
  const report = await verifyLog(house.log, {
    logKey: house.logKey(),
    receipts: true,
    since: before,
  })
  expect(report).toMatchObject({ holds: true, verdicts: 160, open: 0, nodes: 2, problems: [] })
  expect(report.notes.join()).toContain('two histories')
  expect(gate.shipper.stats().behind).toBe(0)

  // A restart goes on where the log stands.
  await gate.recorder.close()
  await sequencer.close()
  const again = await house.openSequencer()
  const gateAgain = await house.openGate((batch) => again.accept(batch))
  await gateAgain.exchanges(2)
  await gateAgain.shipper.drain()
  await again.close()
  await gateAgain.recorder.close()
  const later = await verifyLog(house.log, { logKey: house.logKey(), receipts: true })
  expect(later).toMatchObject({ holds: true, verdicts: 162, problems: [] })
  expect(house.alarms).toEqual([])
})

test('a batch that is sent again changes nothing; one with a gap or of a stranger is refused', async () => {
  const house = someHouse()
  const sequencer = await house.openSequencer()
  const sent: ShippedBatch[] = []
  const gate = await house.openGate(async (batch) => {
    sent.push(batch)
    return await sequencer.accept(batch)
  })
  await gate.exchanges(3)
  await gate.shipper.drain()
  await gate.exchanges(3)
  await gate.shipper.drain()
  await sequencer.flush()
  const size = sequencer.size()
  const [first, second] = sent as [ShippedBatch, ShippedBatch]
  const ack = await sequencer.accept(first)
  expect(ack.runs[0]?.count).toBeGreaterThan(0)
  expect(sequencer.size()).toBe(size)
  await expect(sequencer.accept({ ...first, node: 'stranger' as NodeId })).rejects.toMatchObject({
    code: 'batch-refused',
  })
  const changed = Buffer.from(second.blocks)
  changed[90] = (changed[90] ?? 0) ^ 1
  await expect(sequencer.accept({ ...second, blocks: changed })).rejects.toMatchObject({
    code: 'batch-refused',
  })
  await gate.recorder.close()
  await sequencer.close()

  const empty = someHouse()
  const other = await createSequencer({
    world: realWorld,
    dir: empty.log,
    blobDir: join(empty.dir, 'blob'),
    spoolDir: join(empty.dir, 'control-spool'),
    origin: some.someOrigin,
    logKey: empty.keys.log.privateKey,
    controlKey: house.keys.control.privateKey,
    node: { id: 'control' as NodeId, signingKey: empty.keys.node.privateKey },
    pseudonymKey: empty.keys.pseudonymKey,
    atRestKey: empty.keys.atRest,
    nodes: () => house.keys.node.publicKey,
  })
  await expect(other.accept(second)).rejects.toMatchObject({ code: 'batch-refused' })
  await other.close()
})

test('a node that tells two histories is raised, recorded and never merged', async () => {
  const house = someHouse()
  const sequencer = await house.openSequencer()
  const gate = await house.openGate((batch) => sequencer.accept(batch))
  await gate.exchanges(2)
  await gate.shipper.drain()
  await sequencer.flush()
  const size = sequencer.size()
  const twin = await house.openGate((batch) => sequencer.accept(batch), 'twin-spool')
  await twin.exchanges(2)
  await expect(twin.shipper.drain()).rejects.toMatchObject({ code: 'equivocation' })
  expect(house.alarms.map(({ code }) => code)).toEqual(['equivocation'])
  await sequencer.flush()
  expect(sequencer.size()).toBe(size + 1)
  await gate.recorder.close()
  await twin.recorder.close()
  await sequencer.close()
  const report = await verifyLog(house.log, { logKey: house.logKey(), receipts: true })
  expect(report.holds).toBe(true)
})

test('whatever is changed, cut or forked in the folder, verify says so', async () => {
  const house = someHouse()
  const sequencer = await house.openSequencer()
  const gate = await house.openGate((batch) => sequencer.accept(batch))
  await gate.exchanges(200)
  await gate.shipper.drain()
  const early = sequencer.checkpoint()
  const copy = join(house.dir, 'copy')
  cpSync(house.log, copy, { recursive: true })
  await gate.exchanges(20)
  await gate.shipper.drain()
  await sequencer.flush()
  await gate.recorder.close()
  await sequencer.close()
  const logKey = house.logKey()
  const options = { logKey, receipts: true }
  expect((await verifyLog(copy, { ...options, since: early })).holds).toBe(true)

  const spoil = async (name: string, change: (bytes: Buffer) => Buffer | number) => {
    const path = join(house.log, name)
    const whole = readFileSync(path)
    const changed = change(Buffer.from(whole))
    if (typeof changed === 'number') truncateSync(path, changed)
    else writeFileSync(path, changed)
    const report = await verifyLog(house.log, options)
    writeFileSync(path, whole)
    return report.problems.join(' ')
  }
  const flip = (at: number) => (bytes: Buffer) => {
    bytes[at] = (bytes[at] ?? 0) ^ 1
    return bytes
  }
  expect(await spoil('tile/entries/000', flip(60))).toContain('does not fit')
  expect(await spoil('tile/entries/000', () => 5000)).toContain('cut short')
  expect(await spoil('tile/0/000', flip(100))).toContain('does not fit')
  expect(await spoil('tile/0/000', () => 4000)).toContain('bytes')
  expect(await spoil('checkpoint', flip(25))).not.toBe('')
  const receipts = 'receipts/gate-a1b2c3_0-fdec4af1b41f/000'
  expect(await spoil(receipts, flip(100))).toContain('does not hold')
  expect(await spoil(receipts, () => 152)).toContain('no receipt')

  // The older copy against a newer checkpoint: the log was cut.
  const latest = readFileSync(join(house.log, 'checkpoint'), 'utf8')
  expect((await verifyLog(copy, { ...options, since: latest })).problems.join()).toContain('cut')
})

test('a log is verified and proved from its address alone', async () => {
  const house = someHouse()
  const sequencer = await house.openSequencer()
  const gate = await house.openGate((batch) => sequencer.accept(batch))
  await gate.exchanges(5)
  await gate.shipper.drain()
  await gate.recorder.close()
  await sequencer.close()
  const handler = createLogHandler(house.log, (request) => request.headers.authorization === 'x')
  const server = createServer(handler)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const place = `http://127.0.0.1:${port}`
  const logKey = house.logKey()
  const headers = { authorization: 'x' }
  const report = await verifyLog(place, { logKey, receipts: true, headers })
  expect(report).toMatchObject({ holds: true, verdicts: 5 })
  await expect(verifyLog(place, { logKey })).rejects.toMatchObject({ code: 'log-unreachable' })
  const outside = await fetch(`${place}/tile/..%2f..%2fblob`, { headers })
  expect(outside.status).toBe(404)
  server.close()
  server.closeAllConnections()

  const source = folderSource(house.log)
  const size = report.entries
  const bundle = await source.read(`tile/entries/000.p/${size}`)
  const entry = readBundle(bundle as Buffer, size)[3] as Buffer
  const checkpoint = readFileSync(join(house.log, 'checkpoint'), 'utf8')
  const proof = await makeProofFile({ source, checkpoint, size, index: 3, entry })
  expect(checkProofFile(proof, logKey)).toMatchObject({ index: 3, size })
  expect(() => checkProofFile(proof, logKey, [], Buffer.from('{}'))).toThrow('does not lead')
})

test('an erased subject stays in the tree and opens no more', async () => {
  const house = someHouse()
  const sequencer = await house.openSequencer()
  await sequencer.append(some.someNote(1, 'alice'))
  await sequencer.append(some.someNote(2, 'bob'))
  await sequencer.flush()
  const source = folderSource(house.log)
  const size = sequencer.size()
  const bundle = (await source.read(`tile/entries/000.p/${size}`)) as Buffer
  const leaf = JSON.parse((readBundle(bundle, size)[1] as Buffer).toString()) as {
    sealed: Record<string, string>
  }
  const opening = await sequencer.openings.find(1)
  if (opening === null || opening === 'erased') throw new Error('alice has an opening')
  expect(checkedFields(opening.fields, leaf.sealed)).toEqual({
    user: 'alice',
    rationale: 'because 1',
  })
  expect(() => checkedFields(opening.fields, { ...leaf.sealed, user: 'other' })).toThrow('not the')
  expect(await sequencer.eraseSubject('alice', 'asked')).toBe(1)
  await sequencer.flush()
  expect(await sequencer.openings.find(1)).toBe('erased')
  expect(await sequencer.openings.find(2)).toMatchObject({ subject: 'bob' })
  await sequencer.append(some.someNote(3, 'alice'))
  await sequencer.flush()
  await sequencer.close()
  const report = await verifyLog(house.log, { logKey: house.logKey(), receipts: true })
  expect(report).toMatchObject({ holds: true, erasedKeys: 1 })
  expect(report.notes.join()).toContain('erased')
})

import { createPublicKey } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { isFault } from '#words/faults.ts'
import * as some from '#test/bench/record-fixture.ts'
import { readBlock, readHeader } from './block.ts'
import { readOpenings } from './leaf.ts'
import { sealedAbout } from './group-commit.ts'
import { openRecorder } from './recorder.ts'
import type { OpenedRecorder } from './recorder.ts'
import { segmentKeyOf, unseal } from './seal.ts'

const root = mkdtempSync(join(tmpdir(), 'postern-spool-'))
afterAll(() => rmSync(root, { recursive: true }))
const keys = some.someKeys()
let folders = 0
const freshFolder = (): string => join(root, String(folders++))

async function openOne(recorder: OpenedRecorder, at = 1) {
  return await recorder.open(
    some.someExchange(at),
    some.someCaller(at),
    some.someContent,
    some.someVerdict,
    some.someDecisionInput(at),
  )
}

function blocksIn(path: string) {
  const bytes = readFileSync(path)
  const key = createPublicKey(keys.node.privateKey)
  const { header, length } = readHeader(bytes, key)
  const signer = { origin: some.someOrigin, node: some.someNode, key }
  const blocks = []
  for (let at = length; at < bytes.length;) {
    const block = readBlock(bytes, at, signer)
    if (!block) throw new Error(`no block at ${at}`)
    blocks.push({ block, from: at, to: at + block.length })
    at += block.length
  }
  return { header, blocks, bytes, headerBytes: length }
}

const newest = (dir: string): string => {
  return join(
    dir,
    readdirSync(dir)
      .filter((name) => name.endsWith('.spool'))
      .sort()
      .at(-1) ?? '',
  )
}

test('what is private is on the disk for control alone', async () => {
  const dir = freshFolder()
  const recorder = await openRecorder(some.recorderInput(dir, keys))
  await using entry = await openOne(recorder)
  entry.close(some.someOutcome)
  await recorder.close()
  const { header, blocks, bytes } = blocksIn(newest(dir))
  for (const secret of ['user-1@example.com', 'payments', 'claude-cli', '127.0.0.1', 'principal']) {
    expect(bytes.includes(secret)).toBe(false)
  }
  const verdict = blocks.find(({ block }) => block.sealed.length > 0)?.block
  if (!verdict) throw new Error('no opening was written')
  const key = segmentKeyOf(header.ephemeral, keys.control.privateKey)
  const about = sealedAbout(some.someNode, verdict.receipt.first)
  const [opening] = readOpenings(unseal(key, verdict.sealed, about), verdict.receipt.first)
  expect(opening?.fields['user']?.value).toBe('user-1@example.com')
  expect(opening?.fields['cedar']?.value).toBe(some.someDecisionInput(1))
})

test(
  'a spool cut at any byte of its last group commit opens again',
  { timeout: 60_000 },
  async () => {
    const dir = freshFolder()
    const recorder = await openRecorder(some.recorderInput(dir, keys))
    for (let at = 0; at < 3; at++) {
      const entry = await openOne(recorder, at)
      if (at < 2) entry.close(some.someOutcome)
    }
    await recorder.close()
    const path = newest(dir)
    const { blocks, bytes } = blocksIn(path)
    const last = blocks.at(-1)
    if (!last) throw new Error('nothing was written')
    // Every byte of the frame's edges, and a stride through its middle.
    for (
      let cut = last.from;
      cut <= last.to;
      cut += cut - last.from < 80 || last.to - cut < 120 ? 1 : 61
    ) {
      const copy = freshFolder()
      mkdirSync(copy)
      writeFileSync(join(copy, path.slice(dir.length + 1)), bytes.subarray(0, cut))
      const again = await openRecorder(some.recorderInput(copy, keys))
      const whole = cut === last.to
      // Either the last verdict is open, or the one whose outcome was torn off with it.
      const open = 1
      expect(again.stats()).toMatchObject({
        closedAsUnknown: open,
        cutBytes: whole ? 0 : cut - last.from,
      })
      const durable = whole ? last.block.receipt.last : last.block.receipt.first - 1
      // The unknown outcome and the start entry follow without gap.
      expect(again.durable().counter).toBe(durable + open + 1)
      await again.close()
    }
  },
)

test('a broken block with a whole one behind it is damage, not a crash', async () => {
  const dir = freshFolder()
  const recorder = await openRecorder(some.recorderInput(dir, keys))
  for (let at = 0; at < 3; at++) (await openOne(recorder, at)).close(some.someOutcome)
  await recorder.close()
  const { blocks, bytes } = blocksIn(newest(dir))
  const middle = blocks[1]?.from ?? 0
  bytes[middle + 70] = (bytes[middle + 70] ?? 0) ^ 1
  writeFileSync(newest(dir), bytes)
  await expect(openRecorder(some.recorderInput(dir, keys))).rejects.toMatchObject({
    code: 'spool-damaged',
  })
})

test('a replayed group commit is damage too', async () => {
  const dir = freshFolder()
  const recorder = await openRecorder(some.recorderInput(dir, keys))
  ;(await openOne(recorder)).close(some.someOutcome)
  await recorder.close()
  const { blocks, bytes } = blocksIn(newest(dir))
  appendFileSync(newest(dir), bytes.subarray(blocks[0]?.from, blocks[0]?.to))
  await expect(openRecorder(some.recorderInput(dir, keys))).rejects.toMatchObject({
    code: 'spool-damaged',
  })
})

test('a spool that is older than what the log has of it lets nothing pass', async () => {
  const dir = freshFolder()
  const recorder = await openRecorder(some.recorderInput(dir, keys))
  await recorder.close()
  const shipped = { v: 1, proven: 99, size: 99, root: '' }
  writeFileSync(join(dir, 'shipped.json'), JSON.stringify(shipped))
  await expect(openRecorder(some.recorderInput(dir, keys))).rejects.toMatchObject({
    code: 'spool-damaged',
  })
})

test('a full spool refuses, keeps the outcomes, and gives no counter twice', async () => {
  const dir = freshFolder()
  const recorder = await openRecorder({ ...some.recorderInput(dir, keys), spoolBytesMax: 40_000 })
  const open = []
  let refused = 0
  while (refused === 0) {
    try {
      open.push(await openOne(recorder))
    } catch (error) {
      if (!isFault(error, 'spool-full')) throw error
      refused++
    }
  }
  for (const entry of open) entry.close(some.someOutcome)
  await recorder.settle()
  expect(recorder.stats()).toMatchObject({ openEntries: 0, refused: 1 })
  // As if the shipper had deleted a segment: service resumes by itself.
  recorder.freed(30_000)
  await openOne(recorder)
  await recorder.close()
  const counters = blocksIn(newest(dir)).blocks.flatMap(({ block }) =>
    block.leaves.map((_, at) => block.receipt.first + at),
  )
  expect(counters).toEqual(counters.map((_, at) => at + 1))
})

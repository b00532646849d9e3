import { execFileSync } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isFault } from '#words/faults.ts'
import { readBlock, readHeader } from '#record/block.ts'
import { openRecorder } from '#record/recorder.ts'
import * as some from '#test/bench/record-fixture.ts'
import { suite } from '#test/harness/needs.ts'

const mount = { command: 'mount', debian: 'mount' } as const

suite('a spool on a disk that fills', [{ root: true }, mount], () => {
  let disk = ''
  beforeAll(() => {
    disk = mkdtempSync(join(tmpdir(), 'postern-full-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'postern-test', disk])
  })
  afterAll(() => {
    execFileSync('umount', [disk])
    rmSync(disk, { recursive: true })
  })

  test('refuses with a clear message, cuts what was half written, and resumes by itself', async () => {
    const keys = some.someKeys()
    const dir = join(disk, 'spool')
    const ballast = join(disk, 'ballast')
    writeFileSync(ballast, Buffer.alloc(600 * 1024))
    const recorder = await openRecorder(some.recorderInput(dir, keys))
    const pass = async (at: number): Promise<boolean> => {
      try {
        const entry = await recorder.open(
          some.someExchange(at),
          some.someCaller(at),
          some.someContent,
          some.someVerdict,
          some.someDecisionInput(at),
        )
        entry.close(some.someOutcome)
        return true
      } catch (error) {
        if (!isFault(error, 'spool-full')) throw error
        expect(error.outward).toContain('resumes by itself')
        return false
      }
    }
    let passed = 0
    let refused = 0
    for (let at = 0; refused < 20; at++) {
      const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => pass(at * 8 + n)))
      passed += answers.filter(Boolean).length
      refused += answers.filter((through) => !through).length
    }
    expect(passed).toBeGreaterThan(20)
    rmSync(ballast)
    expect(await pass(100_000)).toBe(true)
    await recorder.settle()
    expect(recorder.stats()).toMatchObject({ openEntries: 0 })
    await recorder.close()

    // On the disk: every group commit whole, no counter missing and none twice.
    const [name] = readdirSync(dir).filter((file) => file.endsWith('.spool'))
    const bytes = readFileSync(join(dir, name ?? ''))
    const key = createPublicKey(keys.node.privateKey)
    const signer = { origin: some.someOrigin, node: some.someNode, key }
    let next = 1
    for (let at = readHeader(bytes, key).length; at < bytes.length;) {
      const block = readBlock(bytes, at, signer)
      if (!block) throw new Error(`no whole group commit at byte ${at}`)
      expect(block.receipt.first).toBe(next)
      next = block.receipt.last + 1
      at += block.length
    }
    // A start, and two entries for each that passed.
    expect(next - 1).toBe(1 + 2 * (passed + 1))
  })
})

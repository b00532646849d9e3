/**
 * The record: durable entries a second in group commits, the latency of one alone, and a full
 * verification of a million entries.
 */
import { spawn } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { leafHash } from '#record/hashing.ts'
import { openLogWriter } from '#record/log-writer.ts'
import { parseVerifierKey, verifierKeyText } from '#record/note.ts'
import { openRecorder } from '#record/recorder.ts'
import type { OpenedRecorder } from '#record/recorder.ts'
import type { VerifyReport } from '#record/verify.ts'
import * as some from './record-fixture.ts'
import { quantile } from './rows.ts'
import type { BenchOptions, Row } from './rows.ts'

type Emit = (row: Omit<Row, 'bench'> & { bench: string }) => void

const verifiedEntries = 1_000_000

export async function bench(emit: Emit, options: BenchOptions): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'postern-bench-record-'))
  const wanted = (name: string): boolean => name.includes(options.only)
  try {
    if (wanted('batched')) await batched(join(dir, 'batched'), emit)
    if (wanted('unbatched')) await unbatched(join(dir, 'unbatched'), emit)
    if (wanted('verify')) await verification(join(dir, 'verify'), emit)
  } finally {
    rmSync(dir, { recursive: true })
  }
}

async function exchange(recorder: OpenedRecorder, at: number): Promise<void> {
  const entry = await recorder.open(
    some.someExchange(at),
    some.someCaller(at),
    some.someContent,
    some.someVerdict,
    some.someDecisionInput(at),
  )
  entry.close(some.someOutcome)
}

/** 512 exchanges under way at once, a verdict and an outcome each, every private field sealed. */
async function batched(dir: string, emit: Emit): Promise<void> {
  const recorder = await openRecorder(some.recorderInput(dir, some.someKeys()))
  const rounds: number[] = []
  let next = 0
  for (let round = 0; round < 6; round++) {
    const until = next + 20_000
    const began = performance.now()
    const before = recorder.stats().entries
    await Promise.all(
      Array.from({ length: 512 }, async () => {
        while (next < until) await exchange(recorder, next++)
      }),
    )
    await recorder.settle()
    const seconds = (performance.now() - began) / 1000
    // The first round warms the compiler.
    if (round > 0) rounds.push((recorder.stats().entries - before) / seconds)
  }
  await recorder.close()
  const value = quantile(rounds, 0.5)
  emit({
    bench: 'record',
    case: 'batched',
    metric: 'durable entries',
    value,
    unit: '/s',
    n: rounds.length,
    target: '>= 50,000',
    holds: value >= 50_000,
  })
}

async function unbatched(dir: string, emit: Emit): Promise<void> {
  const recorder = await openRecorder(some.recorderInput(dir, some.someKeys()))
  const times: number[] = []
  for (let at = 0; at < 600; at++) {
    const began = performance.now()
    await exchange(recorder, at)
    if (at >= 100) times.push(performance.now() - began)
  }
  await recorder.close()
  for (const [metric, q] of [
    ['commit p50', 0.5],
    ['commit p99', 0.99],
  ] as const) {
    const value = quantile(times, q)
    emit({ bench: 'record', case: 'unbatched', metric, value, unit: 'ms', n: times.length })
  }
}

/** A log of a million entries as a gate writes them, verified by a process of its own. */
async function verification(dir: string, emit: Emit): Promise<void> {
  const keys = some.someKeys()
  const { privateKey } = generateKeyPairSync('ed25519')
  const key = verifierKeyText(some.someOrigin, createPublicKey(privateKey))
  const log = join(dir, 'log')
  const writer = await openLogWriter({
    dir: log,
    origin: some.someOrigin,
    key: privateKey,
    verifier: parseVerifierKey(key),
  })
  const make = await someLeaves(keys)
  for (let counter = 1; counter <= verifiedEntries;) {
    const leaves = Array.from({ length: 20_000 }, () => make(counter++))
    await writer.append(leaves, leaves.map(leafHash))
  }
  const { report, seconds, rssBytes } = await verifyApart(log, key)
  const n = report.entries
  emit({
    bench: 'record',
    case: 'verify',
    metric: report.holds ? '1,000,000 entries' : 'DOES NOT HOLD',
    value: seconds,
    unit: 's',
    n,
    target: '<= 15 s',
    holds: report.holds && seconds <= 15,
  })
  const value = rssBytes / 1024 ** 2
  emit({ bench: 'record', case: 'verify', metric: 'peak RSS', value, unit: 'MiB', n })
}

/** Verdicts and outcomes in turn, in the words of the real room. */
async function someLeaves(keys: some.Keys): Promise<(counter: number) => Buffer> {
  const { ByteWriter } = await import('#record/bytes.ts')
  const { createLeafWriter } = await import('#record/leaf.ts')
  const { describeOutcome, describeVerdict } = await import('#record/describe.ts')
  const { realWorld } = await import('#words/clock.ts')
  const writer = createLeafWriter(realWorld, some.someNode, keys.pseudonymKey)
  const leaves = new ByteWriter(4096)
  const openings = new ByteWriter(4096)
  return (counter) => {
    leaves.reset()
    openings.reset()
    const exchange = some.someExchange(counter)
    const caller = some.someCaller(counter)
    const item =
      counter % 2 === 1
        ? describeVerdict(exchange, caller, some.someContent, some.someVerdict, '{}')
        : describeOutcome(
            counter - 1,
            exchange.id,
            { subject: caller.user },
            some.someOutcome,
            exchange.atMs,
          )
    writer.write(item, counter, counter, leaves, openings)
    return Buffer.from(leaves.view(0, leaves.length))
  }
}

async function verifyApart(
  log: string,
  key: string,
): Promise<{ report: VerifyReport; seconds: number; rssBytes: number }> {
  const program = `
    const { verifyLog } = await import('#record/verify.ts')
    const { parseVerifierKey } = await import('#record/note.ts')
    const began = performance.now()
    const report = await verifyLog(process.argv[1], { logKey: parseVerifierKey(process.argv[2]) })
    const seconds = (performance.now() - began) / 1000
    const rssBytes = process.resourceUsage().maxRSS * 1024
    process.stdout.write(JSON.stringify({ report, seconds, rssBytes }))`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, log, key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  for await (const part of child.stdout) text += String(part)
  return JSON.parse(text) as { report: VerifyReport; seconds: number; rssBytes: number }
}

/**
 * The gate with everything on (auth, policy, detector, durable log) beside a bare Node pipe with
 * as many threads, and beside no hop at all. Rounds are interleaved, so that a busy moment of the
 * machine hits all three; figures are medians over the rounds.
 */
import { readFileSync } from 'node:fs'
import { approvedBut } from '#test/harness/decisions.ts'
import { Postern } from '#test/harness/gate.ts'
import { paceMs } from './gate-bodies.ts'
import { cases } from './gate-cases.ts'
import type { Case } from './gate-cases.ts'
import type { Done, Job } from './gate-load.ts'
import { cpuSeconds, startChild, syncCosts, watchMemory } from './processes.ts'
import type { Child } from './processes.ts'
import { median, quantile } from './rows.ts'
import type { Bench, Emit } from './rows.ts'

const workers = 2
const rounds = 3
const throughputMs = 1_600
/** 20 a second for so long that the 99th percentile has more than one sample behind it. */
const latencyMs = 8_000
const userAgent = 'claude-cli/2.1.330 (external, sdk-cli)'

type Target = 'direct' | 'pipe' | 'gate'
type Bed = {
  readonly provider: Child
  readonly pipe: Child
  readonly load: Child
  readonly postern: Postern
}

export const bench: Bench = async (emit, { only, profileDir }) => {
  using provider = await startChild('gate-provider.ts')
  using pipe = await startChild('gate-pipe.ts', [String(provider.port), String(workers)])
  using load = await startChild('gate-load.ts')
  await using postern = await Postern.up({
    provider: `http://127.0.0.1:${provider.port}`,
    decisions: approvedBut([]),
    workers,
    logLevel: 'warn',
    ...(profileDir === '' ? {} : { profileDir }),
  })
  const bed: Bed = { provider, pipe, load, postern }
  const startMs = performance.now()
  const before = cpuOf(postern)
  for (const one of cases) {
    if (!one.name.includes(only)) continue
    if (one.perSecond === undefined) await measureThroughput(bed, one, emit)
    else await measureLatency(bed, one, emit)
  }
  const after = cpuOf(postern)
  // A profile is written at an orderly end only.
  if (profileDir !== '') await postern.stop('gate')
  const seconds = (performance.now() - startMs) / 1_000
  for (const name of ['control', 'gate'] as const) {
    const value = (100 * (after[name] - before[name])) / seconds
    emit({
      bench: 'gate',
      case: 'all',
      metric: `${name}: share of one core`,
      value,
      unit: '%',
      n: 1,
    })
  }
}

function cpuOf({ control, gate }: Postern): { control: number; gate: number } {
  return { control: cpuSeconds(control?.pid ?? 0), gate: cpuSeconds(gate?.pid ?? 0) }
}

async function measureThroughput(bed: Bed, one: Case, emit: Emit): Promise<void> {
  const perSecond: Record<Target, number[]> = { direct: [], pipe: [], gate: [] }
  const firstMs: Record<Target, number[]> = { direct: [], pipe: [], gate: [] }
  const rss: number[] = []
  const targets = ['direct', 'pipe', 'gate'] as const
  for (let round = 0; round < rounds; round++) {
    for (const target of targets) {
      const memory = watchMemory(bed.postern.gate?.pid ?? 0)
      const done = await runJob(bed, jobFor(bed, one, target))
      const mostMiB = memory.stop()
      if (target === 'gate') rss.push(mostMiB)
      perSecond[target].push(done.count / done.seconds)
      firstMs[target].push(median(done.firstByteMs))
    }
  }
  const row = { bench: 'gate', case: one.name, n: rounds } as const
  if (one.stream) {
    const value = median(firstMs.gate) - median(firstMs.pipe)
    const target = `<= ${paceMs} ms (one chunk)`
    emit({
      ...row,
      metric: 'first token, over the pipe',
      value,
      unit: 'ms',
      target,
      holds: value <= paceMs,
    })
  }
  for (const target of targets) {
    emit({ ...row, metric: target, value: median(perSecond[target]), unit: 'req/s' })
  }
  const ratios = perSecond.gate.map((value, at) => value / (perSecond.pipe[at] ?? Number.NaN))
  const value = median(ratios)
  const { ratioMin, rssMiBMax } = one
  emit({
    ...row,
    metric: 'gate over pipe',
    value,
    unit: 'x',
    ...(ratioMin === undefined ? {} : { target: `>= ${ratioMin}`, holds: value >= ratioMin }),
  })
  if (rssMiBMax === undefined) return
  const most = Math.max(...rss)
  const limit = { target: `<= ${rssMiBMax} MB`, holds: most <= rssMiBMax }
  emit({ ...row, metric: 'memory of the gate', value: most, unit: 'MB', ...limit })
}

async function measureLatency(bed: Bed, one: Case, emit: Emit): Promise<void> {
  const total: Record<Target, number[]> = { direct: [], pipe: [], gate: [] }
  const p50: number[] = []
  const p99: number[] = []
  for (let round = 0; round < rounds; round++) {
    for (const target of ['direct', 'pipe', 'gate'] as const) {
      const done = await runJob(bed, jobFor(bed, one, target))
      total[target].push(...done.totalMs)
      if (target === 'pipe') {
        p50.push(-quantile(done.totalMs, 0.5))
        p99.push(-quantile(done.totalMs, 0.99))
      }
      if (target === 'gate') {
        p50[round] = (p50[round] ?? 0) + quantile(done.totalMs, 0.5)
        p99[round] = (p99[round] ?? 0) + quantile(done.totalMs, 0.99)
      }
    }
  }
  const row = { bench: 'gate', case: one.name, unit: 'ms' } as const
  for (const target of ['direct', 'pipe', 'gate'] as const) {
    const n = total[target].length
    emit({ ...row, metric: `${target} p50`, value: quantile(total[target], 0.5), n })
    emit({ ...row, metric: `${target} p99`, value: quantile(total[target], 0.99), n })
  }
  // The TLS door also does TLS, which the pipe does not: its figures stand without a target.
  const held = one.door === 'base-url'
  for (const [metric, values, most] of [
    ['p50 over the pipe', p50, 1.2],
    ['p99 over the pipe', p99, 5],
  ] as const) {
    const value = median(values)
    const target = held ? { target: `<= ${most} ms`, holds: value <= most } : {}
    emit({ ...row, metric, value, n: rounds, ...target })
  }
  const costs = syncCosts(bed.postern.home, 4_096, 200)
  emit({ ...row, metric: 'of that: fdatasync p50', value: quantile(costs, 0.5), n: costs.length })
  emit({ ...row, metric: 'of that: fdatasync p99', value: quantile(costs, 0.99), n: costs.length })
}

function jobFor(bed: Bed, one: Case, target: Target): Job {
  const { kind, bytes, stream, clients, perSecond } = one
  const { postern } = bed
  const shared = {
    host: '127.0.0.1',
    kind,
    bytes,
    stream,
    clients,
    warmUpMs: 500,
    measureMs: perSecond === undefined ? throughputMs : latencyMs,
    ...(perSecond === undefined ? {} : { perSecond }),
  }
  const headers = {
    'user-agent': userAgent,
    'content-type': 'application/json',
    'anthropic-version': '2023-06-01',
    'x-api-key': 'sk-bench',
    ...(stream ? { 'x-bench': 'sse' } : {}),
  }
  const path = '/v1/messages?beta=true'
  if (target === 'direct') return { ...shared, headers, path, port: bed.provider.port }
  if (target === 'pipe') return { ...shared, headers, path, port: bed.pipe.port }
  const token = postern.token('anna.schmidt')
  if (one.door === 'base-url') {
    return {
      ...shared,
      headers: { ...headers, 'x-postern-token': token },
      path: `/anthropic${path}`,
      port: Number(new URL(postern.baseUrl).port),
    }
  }
  return {
    ...shared,
    headers: { ...headers, host: 'api.anthropic.com' },
    path,
    port: Number(new URL(postern.proxy).port),
    tls: {
      name: 'api.anthropic.com',
      authorization: `Basic ${Buffer.from(`postern:${token}`).toString('base64')}`,
      ca: readFileSync(postern.caFile, 'utf8'),
    },
  }
}

async function runJob(bed: Bed, job: Job): Promise<Done> {
  const done = await new Promise<Done>((resolve, reject) => {
    bed.load.process.once('message', (message: Done) => resolve(message))
    bed.load.process.send(job, (error) => error && reject(error))
  })
  if (done.errors > 0) {
    throw new Error(`${done.errors} requests failed: ${done.error}\n${bed.postern.said()}`)
  }
  return done
}

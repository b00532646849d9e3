import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, randomBytes } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { tokenHash, tokenText } from '#identify/tokens.ts'
import { readBlock, readHeader } from '#record/block.ts'
import { sealedAbout } from '#record/group-commit.ts'
import { readOpenings } from '#record/leaf.ts'
import { listSegments, segmentName } from '#record/recover.ts'
import { segmentKeyOf, unseal } from '#record/seal.ts'
import type { PrincipalsPart } from '#words/bundle.ts'
import { Chance } from './fuzz-chance.ts'
import type { FuzzGateData, FuzzGateReport } from './fuzz-gate.ts'
import { FuzzProvider } from './fuzz-provider.ts'
import { fuzzRequest } from './fuzz-requests.ts'
import type { Thrown } from './fuzz-requests.ts'

const fullCount = 100_000
const everyday = 0.03
const share = Number(
  process.env['POSTERN_FUZZ'] ?? (process.env['POSTERN_TEST'] === 'all' ? 1 : everyday),
)
const exchanges = Math.ceil(fullCount * share)
// One seed by default, so that a red run can be run again; another one is an environment away.
const seed = Number(process.env['POSTERN_FUZZ_SEED'] ?? 1_742_815_532)
const lanes = 64
const answerMsMax = 15_000
const rssBytesMax = 600 * 1024 * 1024

const tokens = { good: tokenText(randomBytes(32)), other: tokenText(randomBytes(32)) }

test(`${exchanges} fuzzed exchanges: no crash, nothing unrecorded, memory bounded (seed ${seed})`, async () => {
  await using provider = await FuzzProvider.open()
  const dir = mkdtempSync(join(tmpdir(), 'postern-fuzz-'))
  const node = generateKeyPairSync('ed25519')
  const reader = generateKeyPairSync('x25519')
  const data: FuzzGateData = {
    spoolDir: dir,
    origin: 'log.example/fuzz',
    node: 'gate-fuzz/0',
    nodeKeyPem: node.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    sealToPem: reader.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    provider: provider.url,
    principals: principals(),
  }
  const gate = fork(join(import.meta.dirname, 'fuzz-gate.ts'), { execArgv: [] })
  try {
    const port = await ready(gate, data)
    const unanswered: string[] = []
    let next = 0
    let rssPeak = 0
    const watch = setInterval(() => {
      void report(gate).then(({ rssBytes }) => {
        rssPeak = Math.max(rssPeak, rssBytes)
      })
    }, 500)
    const lane = async (): Promise<void> => {
      for (let at = next++; at < exchanges; at = next++) {
        const id = `x${at}`
        const thrown = fuzzRequest(new Chance(seed + at), id, tokens)
        if (!(await hurl(port, thrown))) unanswered.push(id)
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    clearInterval(watch)
    const { broken, strangers, rssBytes } = await report(gate)
    rssPeak = Math.max(rssPeak, rssBytes)
    expect(broken).toEqual([])
    expect(strangers).toBeGreaterThan(exchanges / 20)
    expect(gate.exitCode).toBeNull()
    const gone = new Promise<number | null>((resolve) => void gate.once('exit', resolve))
    gate.send('close')
    expect(await gone).toBe(0)
    const recorded = await readSpool(data, createPublicKey(node.privateKey), reader.privateKey)
    const unrecorded = [...provider.seen].filter(([id, count]) => (recorded.get(id) ?? 0) < count)
    expect(unrecorded).toEqual([])
    expect([...provider.seen.keys()].filter((id) => id.startsWith('hidden'))).toEqual([])
    expect(provider.seen.size).toBeGreaterThan(exchanges / 20)
    expect(unanswered).toEqual([])
    expect(rssPeak).toBeLessThan(rssBytesMax)
    process.stdout.write(
      `fuzz: ${exchanges} thrown, ${provider.seen.size} passed, ${strangers} strangers, peak ${Math.round(rssPeak / 1024 / 1024)} MiB\n`,
    )
  } finally {
    gate.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  }
})

function principals(): PrincipalsPart {
  const row = (id: string, text: string) => ({
    id,
    sha256: tokenHash(text),
    user: 'ada',
    device: 'unknown',
    site: 'unknown',
    expiresMs: Date.now() + 24 * 3_600_000,
  })
  return {
    users: [{ id: 'ada', groups: [], site: 'unknown' }],
    tokens: [row('tok_a', tokens.good), row('tok_b', tokens.other)],
    devices: [],
  } as unknown as PrincipalsPart
}

function ready(gate: ChildProcess, data: FuzzGateData): Promise<number> {
  return new Promise((resolve, reject) => {
    gate.once('exit', (code) => reject(new Error(`the gate ended with ${code}`)))
    gate.once('message', (message: { readonly port: number }) => resolve(message.port))
    gate.send(data)
  })
}

function report(gate: ChildProcess): Promise<FuzzGateReport> {
  return new Promise((resolve) => {
    gate.once('message', (message) => resolve(message as FuzzGateReport))
    gate.send('report')
  })
}

/** Writes the bytes and reads until the gate closes or a pause; false when it never did either. */
function hurl(port: number, { bytes, slow }: Thrown): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    let heard = 0
    let pause: NodeJS.Timeout | undefined
    const late = setTimeout(() => done(false), answerMsMax)
    const done = (answered: boolean): void => {
      clearTimeout(late)
      clearTimeout(pause)
      socket.destroy()
      resolve(answered)
    }
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.length
      clearTimeout(pause)
      // Kept alive, an answer is over when nothing more comes for a while.
      pause = setTimeout(() => done(true), 60)
    })
    socket.once('error', () => done(true))
    socket.once('close', () => done(true))
    socket.once('connect', () => {
      if (slow) void dribble(socket, bytes, done)
      else {
        socket.write(bytes)
        // Cut-off bodies never end by themselves: the client gives up.
        pause = setTimeout(() => {
          if (heard === 0) socket.end()
        }, 400)
      }
    })
  })
}

async function dribble(
  socket: Socket,
  bytes: Buffer,
  done: (answered: boolean) => void,
): Promise<void> {
  for (let at = 0; at < Math.min(bytes.length, 40); at += 1) {
    if (socket.destroyed) return
    socket.write(bytes.subarray(at, at + 1))
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  done(true)
}

/** Ids of every request that the signed spool says may leave, after checking each receipt. */
async function readSpool(
  { spoolDir, origin, node }: FuzzGateData,
  key: KeyObject,
  reader: KeyObject,
): Promise<Map<string, number>> {
  const allowed = new Map<string, number>()
  for (const segment of await listSegments(spoolDir)) {
    const bytes = readFileSync(join(spoolDir, segmentName(segment)))
    const { header, length } = readHeader(bytes, key)
    const segmentKey = segmentKeyOf(header.ephemeral, reader)
    for (let at = length; at < bytes.length;) {
      const block = readBlock(bytes, at, { origin, node, key })
      if (block === null) throw new Error(`no whole block at byte ${at} of segment ${segment}`)
      at += block.length
      const { first } = block.receipt
      const openings =
        block.sealed.length === 0
          ? []
          : readOpenings(unseal(segmentKey, block.sealed, sealedAbout(node, first)), first)
      const byCounter = new Map(openings.map((opening) => [opening.counter, opening.fields]))
      for (const [nth, leaf] of block.leaves.entries()) {
        const entry = JSON.parse(leaf.toString()) as { kind: string; public: { verdict?: string } }
        if (entry.kind !== 'verdict' || entry.public.verdict !== 'allow') continue
        const target = byCounter.get(first + nth)?.['target']?.value ?? ''
        const id = new URL(target, 'http://gate').searchParams.get('fuzz') ?? `none:${target}`
        allowed.set(id, (allowed.get(id) ?? 0) + 1)
      }
    }
  }
  return allowed
}

/** What `postern up --sample` prepares: a provider on loopback, a starter register, four people. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { join } from 'node:path'
import { homePaths, readRoot } from '#api/home.ts'
import { findKeyFile } from '#api/key-files.ts'
import { verifyLog } from '#record/verify.ts'
import { loadCatalog } from '#register/catalog-files.ts'
import { loadConfig } from '#register/config-file.ts'
import { openRegisterAlone } from '#register/open.ts'
import { applyAsSample, writeStarter } from '#register/starter.ts'
import { findTool, pointingLines } from '#register/tokens.ts'
import type { RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import { invariant } from '#words/faults.ts'
import { createScriptedProvider } from '#wire/provider.ts'
import { logKeyOf } from './main-shipping.ts'
import { playSample } from './main-sample.ts'
import type { SampleTool } from './main-sample.ts'

export type Sample = {
  readonly gateArguments: readonly string[]
  play(options: {
    readonly gateBaseUrl: string
    readonly pace: number
    readonly signal: AbortSignal
  }): Promise<number>
  /** The log, once all that was played is in it: one sentence. */
  verify(signal: AbortSignal): Promise<string>
  pointing(doors: { readonly base: string; readonly proxy: string }): readonly string[]
  close(): Promise<void>
}

const people: Readonly<Record<SampleTool, string>> = {
  opencode: 'anna.schmidt',
  codex: 'sam.rivera',
  'claude-code': 'li.wei',
  'qwen-code': 'li.wei',
}

/** A sample's tokens are made anew at each start: only their digests are kept. */
const tokenMs = 24 * 3_600_000

/** Prepares the home before control starts. Throws what the register says of its files. */
export async function prepare(home: string, world: World): Promise<Sample> {
  const paths = homePaths(home)
  const config = loadConfig(home)
  const provider = createScriptedProvider({ world })
  const server = createServer(provider.request)
  server.on('upgrade', provider.upgrade)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  await writeStarter(config.registerDir, world)
  const tokens = await issueTokens(home, world)
  // A home that was used before has verdicts already.
  let played = await verdictsIn(paths.log, readRoot(home))
  return {
    gateArguments: [
      '--provider-base-url',
      `anthropic=${url}`,
      `openai=${url}`,
      '--allow-upstream',
      '127.0.0.1',
    ],
    async play(options) {
      played += await playSample({ ...options, tokens })
      return played
    },
    verify: (signal) => verifyWhenShipped(paths.log, readRoot(home), played, signal),
    pointing(doors) {
      const catalog = loadCatalog(config.catalogDir)
      const ca = join(paths.ca, 'ca.pem')
      return (['opencode', 'codex'] as const).flatMap((id) => {
        const tool = findTool(catalog, id)
        invariant(tool !== null, 'the catalog has the tools of the sample')
        return [
          `${tool.name}:`,
          ...pointingLines(tool, tokens[id], { ...doors, ca }).map((line) => `  ${line}`),
          '',
        ]
      })
    },
    async close() {
      provider.close()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function issueTokens(home: string, world: World): Promise<Record<SampleTool, string>> {
  const root = readRoot(home)
  await using alone = await openRegisterAlone({ home, world, root })
  await applyAsSample(alone.service, findKeyFile(homePaths(home).keys, 'approver'))
  const tokens: Partial<Record<SampleTool, string>> = {}
  for (const [tool, user] of Object.entries(people) as [SampleTool, string][]) {
    const issued = await alone.service.principals.issueToken({
      user,
      expiresMs: world.nowMs() + tokenMs,
    })
    tokens[tool] = issued.text
  }
  return tokens as Record<SampleTool, string>
}

async function verdictsIn(log: string, root: RootFile): Promise<number> {
  if (!existsSync(join(log, 'checkpoint'))) return 0
  const found = await verifyLog(log, { logKey: logKeyOf(root) })
  return found.verdicts - found.open
}

const shippedMsMax = 30_000

/** Spools are shipped behind the road, so the log is asked until all that was played is in it. */
async function verifyWhenShipped(
  log: string,
  root: RootFile,
  played: number,
  signal: AbortSignal,
): Promise<string> {
  const untilMs = performance.now() + shippedMsMax
  for (;;) {
    const found = await verifyLog(log, { logKey: logKeyOf(root) })
    const whole = found.verdicts - found.open >= played
    if (!whole && performance.now() < untilMs && !signal.aborted) {
      await wait(300, undefined, { signal }).catch(() => {})
      continue
    }
    if (!found.holds) return `log does NOT verify: ${found.problems[0] ?? 'see postern log verify'}`
    const stand =
      found.witnesses.length === 0
        ? 'no witness stands behind it: the operator could show two histories'
        : `witnesses: ${found.witnesses.join(', ')}`
    const rest = whole ? '' : '; the gate still holds outcomes in its spool'
    return `log verified: ${found.entries} entries, checkpoint ${found.root.slice(0, 16)}…${rest} (${stand})`
  }
}

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Need } from './needs.ts'

export type ClientName = 'claude-code' | 'codex'

type Pin = {
  /** Name in `node_modules`, and what stands behind it. */
  readonly name: string
  readonly spec: string
  readonly version: string
  readonly sha512: string
  /** The program, below the package's folder. */
  readonly program: string
}

/** The native packages themselves: no install script has to run. */
const pins: Readonly<Record<ClientName, Pin>> = {
  'claude-code': {
    name: '@anthropic-ai/claude-code-linux-x64',
    spec: '2.1.330',
    version: '2.1.330',
    sha512:
      '9Gn+V7DtJ8M1nztP9CeDVl9g3RtrepI7rOFTyPRRnZe8D6zebIHKmC7OvBauucuAP0X0k85SDN/LPVZyjsGezQ==',
    program: 'claude',
  },
  codex: {
    name: '@openai/codex',
    spec: 'npm:@openai/codex@0.169.0-linux-x64',
    version: '0.169.0-linux-x64',
    sha512:
      'o05NyAOCDygSPRo1yinzxvkRSdmsZyBD9E7mbpmjRanSfM8lypqWtQgEo4XfNkwhuCR2aFu8mlGOsQGFXVbVww==',
    program: 'vendor/x86_64-unknown-linux-musl/bin/codex',
  },
}

export function clientVersion(client: ClientName): string {
  return pins[client].version.replace(/-linux-x64$/, '')
}

/** What a suite lists among its needs. */
export function needsClient(client: ClientName): Need {
  return { npm: `${pins[client].name}@${pins[client].version}`, folder: folderOf(client) }
}

function folderOf(client: ClientName): string {
  return join(tmpdir(), `postern-client-${client}-${pins[client].version}`)
}

/**
 * The path of the client's program. Several hundred megabytes are fetched on the first call and
 * kept in a folder of the temp folder, which appears whole or not at all.
 *
 * Throws when what the registry serves has another SHA-512 than the pinned one: `npm ci` checks
 * the tarball against the lock file that is written here.
 */
export function installClient(client: ClientName): string {
  const pin = pins[client]
  const folder = folderOf(client)
  const program = join(folder, 'node_modules', pin.name, pin.program)
  if (existsSync(program)) return program
  const making = mkdtempSync(join(tmpdir(), 'postern-client-making-'))
  try {
    const root = { name: 'clients', version: '0.0.0', dependencies: { [pin.name]: pin.spec } }
    const lock = {
      ...root,
      lockfileVersion: 3,
      requires: true,
      packages: {
        '': root,
        [`node_modules/${pin.name}`]: { version: pin.version, integrity: `sha512-${pin.sha512}` },
      },
    }
    writeFileSync(join(making, 'package.json'), JSON.stringify(root))
    writeFileSync(join(making, 'package-lock.json'), JSON.stringify(lock))
    const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=optional']
    const done = spawnSync('npm', args, { cwd: making, encoding: 'utf8', timeout: 300_000 })
    if (done.status !== 0) throw new Error(`npm ci for ${client} failed:\n${done.stderr}`)
    assertInstalled(making, pin)
    // Two runs at once: the first rename wins, and the other finds the same bytes.
    if (!existsSync(folder)) renameSync(making, folder)
  } finally {
    rmSync(making, { recursive: true, force: true })
  }
  return program
}

function assertInstalled(folder: string, pin: Pin): void {
  const hidden = readFileSync(join(folder, 'node_modules/.package-lock.json'), 'utf8')
  const lock = JSON.parse(hidden) as {
    packages: Record<string, { version: string; integrity: string }>
  }
  const found = lock.packages[`node_modules/${pin.name}`]
  if (found?.version !== pin.version || found.integrity !== `sha512-${pin.sha512}`) {
    throw new Error(`${pin.name}: expected ${pin.version} sha512-${pin.sha512}, got ${hidden}`)
  }
}

import { spawn } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ClientName } from './client-install.ts'
import { installClient } from './client-install.ts'

/** A provider key as a developer would have it: it must reach the provider and nobody else. */
export const providerKey = 'sk-test-0123456789abcdef0123456789abcdef'

/** How a client reaches the model: one of the gate's doors, or a provider straight on. */
export type Road =
  | {
      readonly door: 'base-url'
      /** With the provider's mount: `http://127.0.0.1:4000/anthropic`. */
      readonly base: string
      readonly token: string
    }
  | {
      readonly door: 'tls'
      readonly proxy: string
      readonly token: string
      readonly caFile: string
    }
  | { readonly door: 'none'; readonly base: string }

export type ClientHome = {
  readonly home: string
  /** The project folder in which the client works: a git repository of its own. */
  readonly project: string
} & Disposable

export type Ran = {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  readonly ms: number
  readonly timedOut: boolean
}

/** A fresh HOME and project; the client asks no question of a first start in it. */
export function clientHome(client: ClientName, road: Road): ClientHome {
  const root = realpathSync(mkdtempSync(join(tmpdir(), `postern-${client}-`)))
  const home = join(root, 'home')
  const project = join(root, 'project')
  mkdirSync(join(project, '.git'), { recursive: true })
  mkdirSync(join(home, '.codex'), { recursive: true })
  writeFileSync(join(project, '.git/HEAD'), 'ref: refs/heads/main\n')
  writeFileSync(join(project, 'notes.txt'), 'canary-in-the-project\n')
  if (client === 'claude-code') {
    writeFileSync(join(home, '.claude.json'), JSON.stringify(claudeState(project), null, 1))
  } else {
    writeFileSync(join(home, '.codex/config.toml'), codexConfig(project, road))
    // The screen of the built-in provider asks for a login without it; the environment is not read.
    const login = { auth_mode: 'apikey', OPENAI_API_KEY: providerKey }
    writeFileSync(join(home, '.codex/auth.json'), JSON.stringify(login), { mode: 0o600 })
  }
  return {
    home,
    project,
    [Symbol.dispose]: () => {
      endWhatRunsFrom(root)
      rmSync(root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/**
 * Codex leaves a daemon behind, in a session of its own. Only programs below the client's own
 * folder, or started with it in their environment, are ended.
 */
function endWhatRunsFrom(root: string): void {
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid) || Number(pid) === process.pid) continue
    try {
      const of = readlinkSync(`/proc/${pid}/exe`) + readFileSync(`/proc/${pid}/environ`, 'utf8')
      if (of.includes(`${root}/`)) process.kill(Number(pid), 'SIGKILL')
    } catch {
      // Somebody else's, or gone in between.
      continue
    }
  }
}

function claudeState(project: string): object {
  return {
    hasCompletedOnboarding: true,
    theme: 'dark',
    autoUpdates: false,
    customApiKeyResponses: { approved: [providerKey.slice(-20)], rejected: [] },
    projects: { [project]: { hasTrustDialogAccepted: true, allowedTools: [] } },
  }
}

function codexConfig(project: string, road: Road): string {
  const lines = [
    'model = "gpt-5.1-codex"',
    'check_for_update_on_startup = false',
    'approval_policy = "never"',
    'sandbox_mode = "danger-full-access"',
  ]
  if (road.door !== 'tls') lines.push('model_provider = "postern"')
  lines.push(
    '[analytics]',
    'enabled = false',
    `[projects.${JSON.stringify(project)}]`,
    'trust_level = "trusted"',
  )
  if (road.door !== 'tls') {
    lines.push(
      '[model_providers.postern]',
      'name = "postern"',
      `base_url = ${JSON.stringify(`${road.base}/v1`)}`,
      'env_key = "CODEX_API_KEY"',
      'wire_api = "responses"',
    )
    if (road.door === 'base-url') {
      lines.push('env_http_headers = { "x-postern-token" = "POSTERN_TOKEN" }')
    }
  }
  return `${lines.join('\n')}\n`
}

/**
 * The whole environment of a client: nothing of ours leaks in, and a proxy variable always points
 * at loopback, so that what the client does on its own ends there too.
 */
export function clientEnvironment(
  client: ClientName,
  road: Road,
  home: string,
): Record<string, string> {
  const proxy = road.door === 'tls' ? withCredential(road.proxy, road.token) : nobody
  const shared = {
    HOME: home,
    PATH: '/usr/bin:/bin',
    LANG: 'C.UTF-8',
    TERM: 'xterm-256color',
    HTTPS_PROXY: proxy,
    HTTP_PROXY: proxy,
    NO_PROXY: road.door === 'tls' ? '' : '127.0.0.1',
    ...(road.door === 'tls'
      ? {
          NODE_EXTRA_CA_CERTS: road.caFile,
          SSL_CERT_FILE: road.caFile,
          GIT_SSL_CAINFO: road.caFile,
        }
      : {}),
  }
  if (client === 'codex') {
    return {
      ...shared,
      CODEX_HOME: join(home, '.codex'),
      CODEX_API_KEY: providerKey,
      ...(road.door === 'base-url' ? { POSTERN_TOKEN: road.token } : {}),
    }
  }
  return {
    ...shared,
    ANTHROPIC_API_KEY: providerKey,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    ...(road.door === 'tls' ? {} : { ANTHROPIC_BASE_URL: road.base }),
    ...(road.door === 'base-url'
      ? { ANTHROPIC_CUSTOM_HEADERS: `x-postern-token: ${road.token}` }
      : {}),
  }
}

/** The discard port: nothing listens there, so a stray request fails at once and stays here. */
const nobody = 'http://127.0.0.1:9'

function withCredential(proxy: string, token: string): string {
  const url = new URL(proxy)
  url.username = 'postern'
  url.password = token
  return url.href.replace(/\/$/, '')
}

export function clientArguments(client: ClientName, prompt: string): readonly string[] {
  return client === 'claude-code'
    ? ['-p', prompt, '--allowedTools', 'Bash,Read']
    : ['exec', '--skip-git-repo-check', prompt]
}

/** Runs a client once, not interactively, and kills its whole process group when it takes too long. */
export async function runClient(input: {
  readonly client: ClientName
  readonly road: Road
  readonly prompt: string
  readonly at: ClientHome
  readonly timeoutMs?: number
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
}): Promise<Ran> {
  const { client, road, at } = input
  const program = installClient(client)
  const startMs = performance.now()
  const child = spawn(program, input.args ?? clientArguments(client, input.prompt), {
    cwd: at.project,
    env: { ...clientEnvironment(client, road, at.home), ...input.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()))
  let timedOut = false
  const timer = setTimeout(() => {
    timedOut = true
    killGroup(child.pid)
  }, input.timeoutMs ?? 60_000)
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  clearTimeout(timer)
  // What the client left behind in the background belongs to its group, too.
  killGroup(child.pid)
  return { code, ...said, ms: performance.now() - startMs, timedOut }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause
  }
}

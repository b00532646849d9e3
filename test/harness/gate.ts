import { fork, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { findKeyFile } from '#api/key-files.ts'
import { makeHome } from '#api/home.ts'
import { callRegister } from '#register/calls.ts'
import { openRegisterAlone } from '#register/open.ts'
import { applyAsSample } from '#register/starter.ts'
import { realWorld } from '#words/clock.ts'
import type { RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { VerdictEvent } from '#main-messages.ts'
import { TestClock } from './clock.ts'

export type PosternOptions = {
  /** YAML of `decisions:`, or nothing. */
  readonly decisions: string
  /** Where the catalog's providers go, on loopback. */
  readonly provider: string
  readonly workers?: number
  readonly defaultProfile?: 'observe' | 'warn' | 'enforce'
  /** Further lines of `postern.yaml`. */
  readonly config?: string
  /** The clock at which it all begins; by default the real one, and nothing is injected. */
  readonly startMs?: number
  readonly logLevel?: string
  readonly tokenDays?: number
  /** Writes a CPU profile of each thread of the gate into this folder when it ends. */
  readonly profileDir?: string
  /** Another folder for the spools, e.g. on a small disk. */
  readonly root?: string
}

export const people = ['li.wei', 'anna.schmidt', 'sam.rivera'] as const
export type Person = (typeof people)[number]

const house = `sites:
  - { id: shanghai, timeZone: Asia/Shanghai, country: CN }
  - { id: berlin, timeZone: Europe/Berlin, country: DE }
  - { id: san-francisco, timeZone: America/Los_Angeles, country: US }
groups: [developers]
people:
  - { id: li.wei, groups: [developers], site: shanghai }
  - { id: anna.schmidt, groups: [developers], site: berlin }
  - { id: sam.rivera, groups: [developers], site: san-francisco }
`

/**
 * A real Postern in a temp folder: control and gate as processes of their own, as `postern up`
 * starts them, each of which a test may stop or kill.
 */
export class Postern implements AsyncDisposable {
  readonly home: string
  readonly clock: TestClock | null
  readonly root: RootFile
  baseUrl = ''
  proxy = ''
  control: ChildProcess | null = null
  gate: ChildProcess | null = null
  readonly #tokens: Readonly<Record<Person, string>>
  readonly #profileDir: string | undefined
  /** Each verdict as the gate told its supervisor, over both doors. */
  readonly verdicts: VerdictEvent[] = []
  readonly #said: string[] = []

  private constructor(
    home: string,
    clock: TestClock | null,
    root: RootFile,
    tokens: Readonly<Record<Person, string>>,
    profileDir: string | undefined,
  ) {
    this.#profileDir = profileDir
    this.home = home
    this.clock = clock
    this.root = root
    this.#tokens = tokens
  }

  /** Keys, register and tokens are there; nothing runs yet. */
  static async make(options: PosternOptions): Promise<Postern> {
    const folder = realpathSync(mkdtempSync(join(options.root ?? tmpdir(), 'postern-home-')))
    const home = join(folder, 'home')
    const clock = options.startMs === undefined ? null : new TestClock(join(folder, 'clock'))
    if (clock !== null && options.startMs !== undefined) clock.set(options.startMs)
    const world: World = clock === null ? realWorld : { ...realWorld, nowMs: () => clock.nowMs() }
    const { root, paths } = makeHome({ home, world, sample: true })
    mkdirSync(paths.register, { recursive: true })
    writeFileSync(join(home, 'postern.yaml'), configText(options))
    writeFileSync(join(paths.register, 'house.yaml'), house)
    writeFileSync(join(paths.register, 'decisions.yaml'), options.decisions)
    await using register = await openRegisterAlone({ home, world, root })
    await applyAsSample(register.service, findKeyFile(paths.keys, 'approver'))
    const tokens: Partial<Record<Person, string>> = {}
    for (const user of people) {
      const expiresMs = world.nowMs() + (options.tokenDays ?? 20) * 24 * 3_600_000
      const made = await callRegister(register.service, 'issue-token', { user, expiresMs })
      tokens[user] = made.text
    }
    return new Postern(home, clock, root, tokens as Record<Person, string>, options.profileDir)
  }

  static async up(options: PosternOptions): Promise<Postern> {
    const postern = await Postern.make(options)
    try {
      await postern.startControl()
      await postern.startGate()
    } catch (cause) {
      await postern[Symbol.asyncDispose]()
      throw cause
    }
    return postern
  }

  token(person: Person): string {
    return this.#tokens[person]
  }

  get caFile(): string {
    return join(this.home, 'ca', 'ca.pem')
  }

  async startControl(): Promise<void> {
    const { child } = await this.#start('control', 'control-ready')
    this.control = child
  }

  async startGate(): Promise<void> {
    const { child, message } = await this.#start('gate', 'gate-ready')
    this.gate = child
    this.baseUrl = `http://127.0.0.1:${Number(message['baseUrlPort'])}`
    this.proxy = `http://127.0.0.1:${Number(message['tlsPort'])}`
  }

  async stop(which: 'control' | 'gate', signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const child = this[which]
    this[which] = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise<void>((resolve) => void child.once('exit', () => resolve()))
    child.kill(signal)
    await gone
  }

  /** What both processes said on stderr: for the message of a failing test. */
  said(): string {
    return this.#said.join('')
  }

  /** Runs the command line as a person would. */
  cli(...args: readonly string[]): { code: number | null; stdout: string; stderr: string } {
    const done = spawnSync(
      process.execPath,
      [resolve('bin/postern.js'), ...args, '--home', this.home],
      {
        encoding: 'utf8',
        env: this.#environment(),
        timeout: 120_000,
        maxBuffer: 512 * 1024 * 1024,
      },
    )
    return { code: done.status, stdout: done.stdout, stderr: done.stderr }
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env['PATH'],
      HOME: this.home,
      ...(this.clock === null ? {} : { POSTERN_TESTING: '1', POSTERN_CLOCK_FILE: this.clock.file }),
    }
  }

  #start(
    name: 'control' | 'gate',
    ready: string,
  ): Promise<{ child: ChildProcess; message: Record<string, unknown> }> {
    const child = fork(resolve('bin/postern.js'), [name, '--home', this.home], {
      env: this.#environment(),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv:
        name === 'gate' && this.#profileDir !== undefined
          ? ['--cpu-prof', `--cpu-prof-dir=${this.#profileDir}`]
          : [],
    })
    child.stderr?.on('data', (chunk: Buffer) => this.#said.push(`[${name}] ${chunk.toString()}`))
    return new Promise((resolve, reject) => {
      const failed = (why: string): void => {
        clearTimeout(late)
        child.kill('SIGKILL')
        reject(new Error(`${name} did not start: ${why}\n${this.said()}\n${this.logTail(name)}`))
      }
      const late = setTimeout(() => failed('not ready in 60 s'), 60_000)
      child.once('exit', (code, signal) => failed(`ended with ${signal ?? code}`))
      child.on('message', (message: Record<string, unknown>) => {
        if (message['kind'] === 'verdict') this.verdicts.push(message as VerdictEvent)
        if (message['kind'] === 'failed') failed(String(message['words']))
        if (message['kind'] !== ready) return
        clearTimeout(late)
        child.removeAllListeners('exit')
        resolve({ child, message })
      })
    })
  }

  logTail(name: string): string {
    try {
      return readFileSync(join(this.home, 'logs', `${name}.log`), 'utf8').slice(-4_000)
    } catch {
      return '(no log file)'
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('gate', 'SIGKILL')
    await this.stop('control', 'SIGKILL')
    this.clock?.[Symbol.dispose]()
    rmSync(resolve(this.home, '..'), { recursive: true, force: true, maxRetries: 5 })
  }
}

function configText(options: PosternOptions): string {
  return `listen: { baseUrlPort: 0, tlsPort: 0 }
control: { port: 0 }
workers: ${options.workers ?? 2}
defaultProfile: ${options.defaultProfile ?? 'enforce'}
providerBaseUrls: { anthropic: '${options.provider}', openai: '${options.provider}' }
upstreamAddressesAllowed: [127.0.0.1]
logs: { level: ${options.logLevel ?? 'info'} }
${options.config ?? ''}`
}

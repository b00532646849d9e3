/** `postern up`: gate and control on one machine, supervised; with --sample, something to watch. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { styleText } from 'node:util'
import { makeHome } from '#api/home.ts'
import { verdictLine, wrap } from '#cli/verdict-line.ts'
import { Fault } from '#words/faults.ts'
import type { FromProcess } from './main-messages.ts'
import { testableWorld } from './main-world.ts'

type UpOptions = {
  readonly home: string
  readonly sample: boolean
  readonly once: boolean
  readonly pace: number
}

/**
 * Starts both processes and stays until Ctrl-C. A child that ends by itself is started again, at
 * most five times a minute; then `up` gives up and says which one.
 */
export async function up(options: UpOptions): Promise<void> {
  const world = testableWorld()
  const made = makeHome({ home: options.home, world, sample: options.sample })
  heading('Postern')
  say(made.fresh ? `made ${options.home}: keys, root file, log` : `using ${options.home}`)
  const sample = options.sample
    ? await (await import('./main-sample-home.ts')).prepare(options.home, world)
    : null
  if (sample !== null) {
    say(styleText('yellow', 'sample keys and people: for trying it, never for real use'))
  }

  const abort = new AbortController()
  const children: Supervised[] = []
  let asked = false
  const stop = async (): Promise<void> => {
    abort.abort()
    // Gate first: what it still holds goes to control.
    for (const child of children.toReversed()) await child.stop()
    await sample?.close()
  }
  const end = (): void => {
    if (asked) process.exit(130)
    asked = true
    process.stdout.write('\n')
    say('stopping; again to stop at once')
    void stop().then(() => process.exit(0))
  }
  process.on('SIGINT', end)
  process.on('SIGTERM', end)

  const control = new Supervised('control', ['control', '--home', options.home], () => {})
  children.push(control)
  const controlReady = await control.ready('control-ready')
  const gate = new Supervised(
    'gate',
    ['gate', '--home', options.home, ...(sample?.gateArguments ?? [])],
    (message) => {
      if (message.kind === 'verdict') process.stdout.write(`${verdictLine(message, columns())}\n`)
    },
  )
  children.push(gate)
  const gateReady = await gate.ready('gate-ready')
  const base = `http://127.0.0.1:${gateReady.baseUrlPort}`
  const proxy = `http://127.0.0.1:${gateReady.tlsPort}`
  say(`gate     ${base} (base URL), ${proxy} (TLS door)`)
  say(`status   ${controlReady.statusUrl}`)

  if (sample !== null) {
    heading('Four tools at work')
    await sample.play({ gateBaseUrl: base, pace: options.pace, signal: abort.signal })
    heading('Proof')
    say(await sample.verify(abort.signal))
    heading('Point a real tool at it')
    for (const line of sample.pointing({ base, proxy })) process.stdout.write(`  ${line}\n`)
  }
  if (options.once) {
    await stop()
    return
  }
  process.stdout.write('\n')
  say('running; Ctrl-C ends it')
}

const restartsPerMinuteMax = 5

class Supervised {
  readonly #name: string
  readonly #arguments: readonly string[]
  readonly #on: (message: FromProcess) => void
  #child: ChildProcess
  #stopping = false
  readonly #startedAtMs: number[] = []

  constructor(name: string, args: readonly string[], on: (message: FromProcess) => void) {
    this.#name = name
    this.#arguments = args
    this.#on = on
    this.#child = this.#start()
  }

  #start(): ChildProcess {
    this.#startedAtMs.push(Date.now())
    const child = fork(
      fileURLToPath(new URL('../bin/postern.js', import.meta.url)),
      this.#arguments,
      {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
        // Its own group: a Ctrl-C at the terminal is ours to pass on, in order.
        detached: true,
      },
    )
    child.on('message', (message: FromProcess) => this.#on(message))
    child.on('exit', (code, signal) => this.#ended(code, signal))
    return child
  }

  #ended(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#stopping) return
    const recent = this.#startedAtMs.filter((ms) => ms > Date.now() - 60_000)
    say(styleText('red', `${this.#name} ended (${signal ?? code}); starting it again`))
    if (recent.length >= restartsPerMinuteMax) {
      process.stderr.write(`postern: ${this.#name} ended ${recent.length} times in a minute.\n`)
      process.exit(1)
    }
    this.#child = this.#start()
  }

  ready<Kind extends FromProcess['kind']>(kind: Kind): Promise<FromProcess & { kind: Kind }> {
    return new Promise((resolve, reject) => {
      const child = this.#child
      child.on('message', (message: FromProcess) => {
        if (message.kind === kind) resolve(message as FromProcess & { kind: Kind })
        if (message.kind === 'failed') {
          this.#stopping = true
          reject(new Fault('usage', { outward: `${this.#name} did not start: ${message.words}` }))
        }
      })
      child.once('exit', (code) => {
        this.#stopping = true
        reject(
          new Fault('usage', { outward: `${this.#name} ended with ${code} before it was ready.` }),
        )
      })
    })
  }

  stop(): Promise<void> {
    this.#stopping = true
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve()
    return new Promise((resolve) => {
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
      child.once('exit', () => {
        clearTimeout(late)
        resolve()
      })
      child.kill('SIGTERM')
    })
  }
}

function columns(): number {
  return Math.min(process.stdout.columns ?? 100, 120)
}

function heading(words: string): void {
  process.stdout.write(`\n${styleText('bold', words)}\n`)
}

function say(words: string): void {
  for (const line of wrap(words, columns() - 2)) process.stdout.write(`  ${line}\n`)
}

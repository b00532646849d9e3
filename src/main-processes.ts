/** `postern gate` and `postern control`: one process each, ended by SIGTERM or SIGINT. */
import { join } from 'node:path'
import { startControl } from '#api/control.ts'
import { homePaths } from '#api/home.ts'
import { loadConfig } from '#register/config-file.ts'
import { createLogger } from '#telemetry/logger.ts'
import { instantText } from '#words/clock.ts'
import { Fault, isFault } from '#words/faults.ts'
import type { FromProcess } from './main-messages.ts'
import { startGate } from './main-gate.ts'
import { testableWorld } from './main-world.ts'

const bundleWaitMs = 60_000
const graceMs = 5_000

export async function runGateProcess(options: {
  readonly home: string
  readonly providerBaseUrls: readonly string[]
  readonly allowUpstream: readonly string[]
}): Promise<void> {
  await untilSignal(async () => {
    const gate = await startGate({
      home: options.home,
      world: testableWorld(),
      onVerdict: supervised ? say : null,
      bundleWaitMs,
      providerBaseUrls: Object.fromEntries(options.providerBaseUrls.map(pairOf)),
      allowUpstream: options.allowUpstream,
    })
    say({ kind: 'gate-ready', baseUrlPort: gate.baseUrlPort, tlsPort: gate.tlsPort })
    note(`gate listens: base URL ${gate.baseUrlPort}, TLS ${gate.tlsPort}`)
    return () => gate.close(graceMs)
  })
}

export async function runControlProcess(options: { readonly home: string }): Promise<void> {
  await untilSignal(async () => {
    const control = await startControl({
      home: options.home,
      world: testableWorld(),
      log: createLogger({
        name: 'control',
        file: join(homePaths(options.home).logs, 'control.log'),
        level: loadConfig(options.home).logs.level,
      }),
    })
    say({ kind: 'control-ready', statusUrl: control.addresses.statusUrl })
    note(`control is up: ${control.addresses.statusUrl}`)
    return () => control.close()
  })
}

const supervised = process.send !== undefined

function say(message: FromProcess): void {
  process.send?.(message)
}

function note(words: string): void {
  if (!supervised) process.stdout.write(`${instantText(Date.now())} ${words}\n`)
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 1 || !URL.canParse(text.slice(at + 1))) {
    throw new Fault('usage', { outward: `${text} is not PROVIDER=URL.` })
  }
  return [text.slice(0, at), text.slice(at + 1)]
}

/** Starts, then waits for a signal or for the supervisor to go, and closes. */
async function untilSignal(start: () => Promise<() => Promise<void>>): Promise<void> {
  let close: () => Promise<void>
  try {
    close = await start()
  } catch (cause) {
    if (isFault(cause)) say({ kind: 'failed', words: `${cause.outward} ${cause.advice}` })
    throw cause
  }
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', resolve)
    // With a supervisor, Ctrl-C reaches us too; it tells us when it is our turn.
    process.on('SIGINT', () => {
      if (!supervised) resolve()
    })
    process.once('disconnect', resolve)
  })
  await close()
  process.exit(0)
}

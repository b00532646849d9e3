import { createPublicKey } from 'node:crypto'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { realWorld } from '#words/clock.ts'

type WitnessOptions = {
  readonly dir: string
  readonly name: string
  readonly log: readonly string[]
  readonly host: string
  readonly port: string
}

/** `postern witness`: meant for another owner's machine, and needs nothing else of Postern. */
export function registerWitness(program: Command): void {
  program
    .command('witness')
    .description('cosign the heads of logs that only grow (C2SP tlog-witness)')
    .requiredOption('--name <name>', 'how this witness signs, e.g. audit.example.com/witness')
    .requiredOption('--log <key...>', 'keys of the logs to watch, <origin>+<id>+<key>')
    .option('--dir <dir>', 'where the witness keeps its key and what it saw', '.postern-witness')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--port <port>', 'port to listen on', '8489')
    .action(run)
}

async function run(options: WitnessOptions): Promise<void> {
  const { createServer } = await import('node:http')
  const { createWitness, openWitnessKey, witnessHandler } = await import('#record/witness.ts')
  const { cosignatureType, parseVerifierKey, verifierKeyText } = await import('#record/note.ts')
  const dir = resolve(options.dir)
  const key = await openWitnessKey(dir)
  const witness = createWitness({
    world: realWorld,
    dir: join(dir, 'seen'),
    name: options.name,
    key,
    logs: options.log.map(parseVerifierKey),
  })
  const server = createServer({ requestTimeout: 15_000 }, witnessHandler(witness))
  await new Promise<void>((done, failed) => {
    server.once('error', failed)
    server.listen(Number(options.port), options.host, done)
  })
  const at = server.address()
  const port = typeof at === 'object' && at !== null ? at.port : options.port
  const name = verifierKeyText(options.name, createPublicKey(key), cosignatureType)
  process.stdout.write(`witness on http://${options.host}:${port}\nkey ${name}\n`)
  const stop = (): void => {
    server.close()
    server.closeIdleConnections()
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

/** The command line, put together. Each command imports what it needs when it runs. */
import { resolve } from 'node:path'
import { Command } from 'commander'
import { registerDoctor } from '#cli/doctor.ts'
import { registerLog } from '#cli/log.ts'
import { registerStore } from '#cli/store.ts'
import { registerWitness } from '#cli/witness.ts'
import { registerRegister } from '#cli/register.ts'
import { registerToken } from '#cli/token.ts'
import { isFault } from '#words/faults.ts'

/** Runs one command. Faults end with exit code 1 and say what to do; bugs keep their stack. */
export async function runCommand(argv: readonly string[]): Promise<void> {
  const program = buildProgram()
  try {
    await program.parseAsync([...argv])
  } catch (cause) {
    if (!isFault(cause)) throw cause
    process.stderr.write(`postern: ${cause.outward}\n         ${cause.advice} [${cause.code}]\n`)
    process.exitCode = 1
  }
}

export function buildProgram(): Command {
  const program = new Command('postern')
    .description('Governs AI coding tools: review, decide, enforce, prove.')
    .version('0.1.0')
    .showHelpAfterError('(postern COMMAND --help says more)')
    .showSuggestionAfterError()
  program
    .command('up')
    .description('start gate and control on this machine, with embedded defaults')
    .option('--home <dir>', 'where everything is kept', '.postern')
    .option('--sample', 'with a starter register, a sample provider and four tools at work')
    .option('--once', 'end when the sample has been played and the log verified')
    .option('--pace <factor>', 'speed of the sample: 0 plays it at once', '1')
    .action(async (options: { home: string; sample?: boolean; once?: boolean; pace: string }) => {
      const { up } = await import('./main-up.ts')
      await up({
        home: resolve(options.home),
        sample: options.sample === true,
        once: options.once === true,
        pace: Number(options.pace),
      })
    })
  program
    .command('gate')
    .description('the data plane alone: needs a signed bundle and a disk')
    .option('--home <dir>', 'where everything is kept', '.postern')
    .option(
      '--provider-base-url <pair...>',
      'send a provider elsewhere: anthropic=http://127.0.0.1:1',
    )
    .option('--allow-upstream <address...>', 'an internal address that may be connected to')
    .action(
      async (options: { home: string; providerBaseUrl?: string[]; allowUpstream?: string[] }) => {
        const { runGateProcess } = await import('./main-processes.ts')
        await runGateProcess({
          home: resolve(options.home),
          providerBaseUrls: options.providerBaseUrl ?? [],
          allowUpstream: options.allowUpstream ?? [],
        })
      },
    )
  program
    .command('control')
    .description('the control plane alone: register, bundle, sequencer, status page')
    .option('--home <dir>', 'where everything is kept', '.postern')
    .action(async (options: { home: string }) => {
      const { runControlProcess } = await import('./main-processes.ts')
      await runControlProcess({ home: resolve(options.home) })
    })
  registerRegister(program)
  registerToken(program)
  registerWitness(program)
  registerStore(program)
  registerLog(program)
  registerDoctor(program)
  return program
}

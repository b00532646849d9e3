import { resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Command } from 'commander'
import { Fault } from '#words/faults.ts'

type Common = { readonly home: string; readonly json?: boolean }

/** `postern register …`: the approved list. Each command imports what it needs when it runs. */
export function registerRegister(program: Command): void {
  const register = program
    .command('register')
    .description('the approved list: what may be used, by whom, from when')

  common(register.command('plan'))
    .description('compare the register files with the register; writes nothing')
    .action(async (options: Common) => {
      const { askRegister } = await import('./register-client.ts')
      const answer = await askRegister(resolve(options.home), 'plan', {})
      if (options.json === true) return print(answer)
      const { planLines } = await import('./register-words.ts')
      say(planLines(answer.plan, answer.signatures))
    })

  common(register.command('sign'))
    .description('sign what loosens, as an approver, over exactly what is shown')
    .requiredOption('--key <file>', "the approver's Ed25519 key (PEM, mode 600)")
    .option('--plan <file>', 'a plan from `plan --json`, where the register is on another machine')
    .option('--out <dir>', 'write the approval files here instead of handing them in')
    .option('--yes', 'sign without asking')
    .action(async (options: Common & SignOptions) => {
      const { signPlan } = await import('./register-sign.ts')
      const signed = await signPlan({ ...options, home: resolve(options.home) })
      if (options.json === true) print({ signed })
      else
        say(
          signed.length === 0
            ? ['nothing needs a signature']
            : signed.map((one) => `signed ${one}`),
        )
    })

  common(register.command('apply'))
    .description('write the plan into the ledger; gates hear of it at once')
    .option('--expect <digest>', 'apply exactly this plan and no other')
    .action(async (options: Common & { readonly expect?: string }) => {
      const { askRegister } = await import('./register-client.ts')
      const applied = await askRegister(
        resolve(options.home),
        'apply',
        options.expect === undefined ? {} : { expectDigest: options.expect },
      )
      if (options.json === true) return print(applied)
      say(
        applied.changes === 0
          ? ['the register is what the files say']
          : [
              `applied ${applied.changes} changes`,
              ...applied.entries.map((one) => `  entry ${one}`),
            ],
      )
    })

  common(register.command('list'))
    .description('every decision and where it stands now')
    .action(async (options: Common) => {
      const { askRegister } = await import('./register-client.ts')
      const answer = await askRegister(resolve(options.home), 'list', {})
      if (options.json === true) return print(answer)
      const { listLines } = await import('./register-words.ts')
      say(listLines(answer.decisions))
    })

  common(register.command('show'))
    .description('what counts at an instant, as it was known at another')
    .option('--at <instant>', 'by default now: 2026-07-09T23:59:59+08:00')
    .option('--as-known-at <instant>', 'by default now')
    .action(async (options: Common & { readonly at?: string; readonly asKnownAt?: string }) => {
      const { askRegister } = await import('./register-client.ts')
      const { parseInstant } = await import('#register/when.ts')
      const instant = (name: string, text: string): number => {
        const ms = parseInstant(text)
        if (ms !== null) return ms
        throw new Fault('usage', {
          outward: `--${name}: write an instant with its offset, such as 2026-07-09T23:59:59+08:00.`,
        })
      }
      const shown = await askRegister(resolve(options.home), 'show', {
        ...(options.at === undefined ? {} : { atMs: instant('at', options.at) }),
        ...(options.asKnownAt === undefined
          ? {}
          : { asKnownAtMs: instant('as-known-at', options.asKnownAt) }),
      })
      if (options.json === true) return print(shown)
      const { showLines } = await import('./register-words.ts')
      say(showLines(shown))
    })

  register
    .command('export')
    .description('the register as files would say it')
    .option('--home <dir>', 'where everything is kept', '.postern')
    .option('--format <format>', 'yaml, json or csv', 'yaml')
    .option('--json', 'the same as --format json')
    .action(async (options: Common & { readonly format: string }) => {
      const { askRegister } = await import('./register-client.ts')
      const format = options.json === true ? 'json' : options.format
      if (format !== 'yaml' && format !== 'json' && format !== 'csv') {
        throw new Fault('usage', { outward: '--format is yaml, json or csv.' })
      }
      const { text } = await askRegister(resolve(options.home), 'export', { format })
      process.stdout.write(text)
    })
}

export type SignOptions = {
  readonly key: string
  readonly plan?: string
  readonly out?: string
  readonly yes?: boolean
}

function common(command: Command): Command {
  return command
    .option('--home <dir>', 'where everything is kept', '.postern')
    .option('--json', 'print JSON')
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

function say(lines: readonly string[]): void {
  const plain = process.stdout.isTTY ? lines : lines.map((line) => stripVTControlCharacters(line))
  process.stdout.write(plain.map((line) => `${line}\n`).join(''))
}

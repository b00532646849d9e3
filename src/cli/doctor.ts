import { resolve } from 'node:path'
import { styleText } from 'node:util'
import type { Command } from 'commander'
import { realWorld } from '#words/clock.ts'

type Options = { readonly home: string; readonly json?: boolean; readonly link?: boolean }

/** `postern doctor`: what is well, what is not, and what to do. Exit code 1 when a check fails. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check keys, trust, clock, disk, ports, bundle, log and store')
    .option('--home <dir>', 'where everything is kept', '.postern')
    .option('--json', 'as JSON')
    .option('--link', 'only print a link to the status page; it works once')
    .action(async (options: Options) => {
      const home = resolve(options.home)
      if (options.link === true) {
        const { askControl } = await import('#api/control-client.ts')
        const { url } = await askControl<{ url: string }>(home, 'POST', '/v1/status-links')
        process.stdout.write(`${url}\n`)
        return
      }
      const { checkHome } = await import('#api/checks.ts')
      const checks = await checkHome(home, realWorld)
      if (checks.some((check) => check.result === 'fail')) process.exitCode = 1
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify({ checks }, null, 2)}\n`)
        return
      }
      const colours = { ok: 'green', warn: 'yellow', fail: 'red', 'not run': 'dim' } as const
      for (const { name, result, words, advice } of checks) {
        const mark = styleText(colours[result], result.padEnd(8))
        process.stdout.write(`${mark}${name.padEnd(15)}${words}\n`)
        if (advice !== '') process.stdout.write(`${' '.repeat(23)}${styleText('dim', advice)}\n`)
      }
    })
}

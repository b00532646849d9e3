import { resolve } from 'node:path'
import type { Command } from 'commander'
import { realWorld } from '#words/clock.ts'
import { isFault } from '#words/faults.ts'

type Options = { readonly home: string; readonly json?: boolean }
type StoreState = { readonly state: string; readonly lag: number; readonly position: number }

/** `postern store …`: the projections, which can always be made again from the log. */
export function registerStore(program: Command): void {
  const store = program.command('store').description('projections of the log, for questions')
  common(store.command('status'))
    .description('how far the projections are behind the log')
    .action(async (options: Options) => {
      print(options, await ask(options, 'catch-up'))
    })
  common(store.command('rebuild'))
    .description('drop the projections and replay the log')
    .action(async (options: Options) => {
      print(options, await ask(options, 'rebuild'))
    })
}

/** Through control when it runs, else here, under the lock that control takes. */
async function ask(options: Options, what: 'catch-up' | 'rebuild'): Promise<StoreState> {
  const home = resolve(options.home)
  const { askControl } = await import('#api/control-client.ts')
  try {
    if (what === 'rebuild') await askControl(home, 'POST', '/v1/store/rebuild')
    return await askControl<StoreState>(home, 'GET', '/v1/store')
  } catch (fault) {
    if (!isFault(fault, 'control-unreachable')) throw fault
    const { useStoreAlone } = await import('#api/store-alone.ts')
    return useStoreAlone(home, realWorld, what)
  }
}

function print(options: Options, { state, lag, position }: StoreState): void {
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ state, lag, position })}\n`)
    return
  }
  const behind = lag === 0 ? 'up to date' : lag < 0 ? 'not known' : `${lag} entries behind`
  process.stdout.write(`store ${state}: ${position} entries projected, ${behind}\n`)
}

function common(command: Command): Command {
  return command
    .option('--home <dir>', 'where everything is kept', '.postern')
    .option('--json', 'as JSON')
}

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from '#store/lock.ts'
import type { RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import { loadConfig } from './config-file.ts'
import { openFileLedger } from './file-ledger.ts'
import { RegisterService } from './service.ts'

/** Where the register lies below a home, beside the files that people write. */
export function registerPaths(home: string): {
  readonly ledger: string
  readonly approvals: string
} {
  return { ledger: join(home, 'ledger'), approvals: join(home, 'approvals') }
}

/**
 * Opens the register of a home. The caller holds the home's lock, and closes what this opens.
 *
 * `note` must resolve only when the entry is durable in the log.
 */
export async function openRegister(input: {
  readonly home: string
  readonly world: World
  readonly root: RootFile
  readonly note: ((draft: EntryDraft) => Promise<unknown>) | 'later'
  readonly onChange?: () => Promise<unknown>
}): Promise<{ readonly service: RegisterService } & AsyncDisposable> {
  const paths = registerPaths(input.home)
  const config = loadConfig(input.home)
  const ledger = await openFileLedger({ world: input.world, dir: paths.ledger, note: input.note })
  try {
    const service = await RegisterService.open({
      world: input.world,
      config,
      root: input.root,
      ledger,
      approvalsDir: paths.approvals,
      ...(input.onChange === undefined ? {} : { onChange: input.onChange }),
    })
    return { service, [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose]() }
  } catch (cause) {
    await ledger[Symbol.asyncDispose]()
    throw cause
  }
}

/**
 * Opens the register while control is down, for one command. Takes the lock that control takes, so
 * `already-running` means: control came up in between, ask it instead.
 */
export async function openRegisterAlone(input: {
  readonly home: string
  readonly world: World
  readonly root: RootFile
}): Promise<{ readonly service: RegisterService } & AsyncDisposable> {
  const run = join(input.home, 'run')
  mkdirSync(run, { recursive: true, mode: 0o700 })
  const lock = takeLock(join(run, 'control.lock'))
  try {
    const opened = await openRegister({ ...input, note: 'later' })
    return {
      service: opened.service,
      async [Symbol.asyncDispose]() {
        await opened[Symbol.asyncDispose]()
        lock[Symbol.dispose]()
      },
    }
  } catch (cause) {
    lock[Symbol.dispose]()
    throw cause
  }
}

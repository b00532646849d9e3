import { accessSync, constants, existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'

/**
 * What a suite needs of the machine. A machine that lacks it skips the suite by name, with the
 * package that would bring it; under POSTERN_TEST=all that is a failure, because nothing may hide.
 */
export type Need =
  | { readonly command: string; readonly debian: string }
  /** A program from the npm registry, kept in a cache folder; only POSTERN_TEST=all fetches it. */
  | { readonly npm: string; readonly folder: string }
  | { readonly file: string; readonly debian: string }
  | { readonly root: true }
  /** Too long for the everyday run. */
  | { readonly long: true }

export type Needs = { readonly ok: boolean; readonly missing: readonly string[] }

/** Everything the machine can run, at full count, and nothing skipped. */
export const everything = process.env['POSTERN_TEST'] === 'all'

/** Marks a skipped suite for `tools/test.ts`. */
export const skipMark = ' -- skipped, lacks '

/** How many rounds: `full` under POSTERN_TEST=all, `quick` on every other day. */
export function howMany(counts: { readonly full: number; readonly quick: number }): number {
  const asked = Number(process.env['POSTERN_TEST_COUNT'] ?? 0)
  if (asked > 0) return asked
  return everything ? counts.full : counts.quick
}

export function needs(what: readonly Need[]): Needs {
  const missing = what.map(lacks).filter((words) => words !== null)
  return { ok: missing.length === 0, missing }
}

/** Registers `fn` as a `describe`, or says what the machine lacks. */
export function suite(name: string, what: readonly Need[], fn: () => void): void {
  const { ok, missing } = needs(what)
  if (ok) {
    describe(name, fn)
    return
  }
  const words = missing.join(', ')
  test.skipIf(!everything)(`${name}${skipMark}${words}`, () => {
    throw new Error(`POSTERN_TEST=all skips nothing, and this machine lacks ${words}`)
  })
}

function lacks(need: Need): string | null {
  if ('command' in need) {
    return findCommand(need.command) === null ? `Debian package ${need.debian}` : null
  }
  if ('npm' in need) {
    return everything || existsSync(need.folder) ? null : `npm package ${need.npm}`
  }
  if ('file' in need) return existsSync(need.file) ? null : `Debian package ${need.debian}`
  if ('root' in need) return process.getuid?.() === 0 ? null : 'root (run it as root)'
  return everything ? null : 'time (POSTERN_TEST=all runs it)'
}

/** The path of a program, looked up as a shell would. */
export function findCommand(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(':')) {
    if (folder === '') continue
    const path = join(folder, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  return null
}

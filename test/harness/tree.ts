import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

export type SourceFile = { readonly path: string; readonly text: string }

const binary = /\.(?:png|ico|wasm|gz|woff2|bin)$/

/** Every file of the project as it lies here: tracked, or new and not ignored. */
export function listFiles(): readonly SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
    encoding: 'utf8',
  })
  return listed
    .split('\0')
    .filter((path) => path !== '' && existsSync(path) && !binary.test(path))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }))
}

export function importsOf(file: SourceFile): readonly string[] {
  const found = file.text.matchAll(/(?:^|\s)(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)
  return [...found].map((match) => match[1] ?? '')
}

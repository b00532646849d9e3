/** Facts about the tree that no type and no lint rule can tell. */
import { existsSync, readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { basename, dirname } from 'node:path'
import { expect, test } from 'vitest'
import { faultAdvice } from '#words/fault-codes.ts'
import { doors, lintConfiguration } from '../tools/doors.ts'
import { importsOf, listFiles } from './harness/tree.ts'

const files = listFiles()
const code = files.filter(({ path }) =>
  /^(?:src|test|tools|console|bin)\/.*\.[cm]?[jt]sx?$/.test(path),
)
const source = code.filter(({ path }) => path.startsWith('src/') && !path.endsWith('.test.ts'))
const tests = code.filter(({ path }) => path.endsWith('.test.ts'))

test('no file is longer than 400 lines', () => {
  const long = code
    .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400)
  expect(long).toEqual([])
})

test('no way out of a room by ../', () => {
  const rooms = code.filter(({ path }) => /^(?:src|test)\/[^/]+\//.test(path))
  const ways = rooms.flatMap((file) =>
    importsOf(file)
      .filter((name) => name.startsWith('../'))
      .map((name) => `${file.path}: ${name}`),
  )
  expect(ways).toEqual([])
})

test('no barrel, and nothing that is called utils', () => {
  const odd = code.filter(({ path }) =>
    /^(?:index|utils?|helpers?|common|misc)\.[cm]?[jt]sx?$/.test(basename(path)),
  )
  expect(odd.map(({ path }) => path)).toEqual([])
})

test('file names are kebab-case, and every room of the tree has its doors', () => {
  const odd = code.filter(({ path }) => !/^[a-z0-9.-]+$/.test(basename(path)))
  expect(odd.map(({ path }) => path)).toEqual([])
  const rooms = new Set(
    source.flatMap(({ path }) => (dirname(path) === 'src' ? [] : [path.split('/')[1] ?? ''])),
  )
  expect([...rooms].filter((room) => !Object.hasOwn(doors, room))).toEqual([])
})

test('the lint configuration is the one that tools/doors.ts makes', () => {
  expect(readFileSync('.oxlintrc.json', 'utf8')).toBe(lintConfiguration())
})

test('every fault code has a sentence of advice, and is thrown or shown somewhere', () => {
  const everything = source
    .filter(({ path }) => path !== 'src/words/fault-codes.ts')
    .map(({ text }) => text)
    .join('\n')
  for (const [name, advice] of Object.entries(faultAdvice)) {
    expect(advice, name).toMatch(/^[A-Z`].{15,}\.$/)
  }
  const unsaid = Object.keys(faultAdvice).filter((name) => !everything.includes(`'${name}'`))
  expect(unsaid).toEqual([])
})

test('no test is left out by hand', () => {
  const left = tests
    .filter(({ path }) => !path.startsWith('test/harness/'))
    .filter(({ text }) =>
      /\b(?:test|it|describe|suite)\.(?:skip|only|todo|skipIf|runIf)\b/.test(text),
    )
  expect(left.map(({ path }) => path)).toEqual([])
})

test('nothing is promised for later, and nothing names this or another machine', () => {
  // Spelt apart, so that this file does not name them either.
  const never = [
    /\bTO\u{44}O\b/u,
    /\bFIX\u{4d}E\b/u,
    /\bXX\u{58}\b/u,
    /registry\.npm\u{6a}s\.org/u,
    /(?<![\w.-])\/wor\u{6b}\//u,
    /\/tmp\/brie\u{66}/u,
    /(?<!\w)\/roo\u{74}\//u,
  ]
  // The catalog cites where its facts come from, word for word.
  const ours = files.filter(({ path }) => !path.startsWith('catalog/'))
  const found = ours.flatMap(({ path, text }) =>
    never.filter((word) => word.test(text)).map((word) => `${path}: ${String(word)}`),
  )
  expect(found).toEqual([])
})

test('every route of the API has an authorisation test', () => {
  const declared = source
    .filter(({ path }) => path.startsWith('src/api/'))
    .flatMap(({ text }) => [...text.matchAll(/path: '(\/[^']*)'/g)].map((match) => match[1] ?? ''))
  const tried = tests.filter(
    ({ path, text }) => path.startsWith('src/api/') && /\b40[13]\b/.test(text),
  )
  const words = tried.map(({ text }) => text).join('\n')
  const bare = [...new Set(declared)].filter(
    (route) => !words.includes(route.split('{', 1)[0] ?? route),
  )
  expect(bare).toEqual([])
})

test('every detector has a good and a bad sample', () => {
  const detectors = source.filter(
    ({ path, text }) => path.startsWith('src/inspect/') && /: Detector = \{/.test(text),
  )
  expect(detectors.length).toBeGreaterThan(0)
  for (const { path } of detectors) {
    const beside = path.replace(/\.ts$/, '.test.ts')
    const sample = tests.find((file) => file.path === beside)
    expect(sample?.text, `${beside} has a good sample`).toMatch(/\bgood\b/)
    expect(sample?.text, `${beside} has a bad sample`).toMatch(/\bbad\b/)
  }
})

test('the generated reference is up to date', () => {
  const generator = 'tools/reference.ts'
  const stale = existsSync(generator)
    ? spawnSync(process.execPath, [generator], { encoding: 'utf8' })
    : { status: 0, stderr: '' }
  expect(stale.status, stale.stderr).toBe(0)
})

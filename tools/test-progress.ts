import type { Reporter, TestCase, TestModule } from 'vitest/node'
import { relative } from 'node:path'
import { stripVTControlCharacters, styleText } from 'node:util'

const skipMark = ' -- skipped, lacks '

type TestError = {
  readonly message: string
  readonly stack?: string | undefined
  readonly diff?: string | undefined
}

export type Progress = {
  begin(project: string): void
  readonly reporter: Reporter
  /** Prints failures, skipped suites and the last line; returns the exit code. */
  finish(options: { readonly skippingAllowed: boolean }): number
}

/** An error as a reader wants it: the message, the difference, and our own lines of the stack. */
function words(error: TestError): string {
  const [head = error.message] = (error.stack ?? error.message).split(/\n\s+at /, 1)
  const frames = (error.stack ?? '').match(/^\s+at .*$/gm) ?? []
  const own = frames.filter(
    (line) => !line.includes('node_modules') && !/\(node:|new Promise \(/.test(line),
  )
  const diff = stripVTControlCharacters(error.diff ?? '')
  return [head, diff, ...own.slice(0, 6)].filter((part) => part !== '').join('\n')
}

/** One line a file while it runs; failures and skipped suites together at the end. */
export function createProgress(out: NodeJS.WriteStream): Progress {
  let passed = 0
  const failures: { readonly where: string; readonly what: string }[] = []
  const skipped: { readonly name: string; readonly lacks: string }[] = []
  const startMs = performance.now()
  const paint = (style: 'red' | 'green' | 'yellow' | 'dim', text: string): string =>
    out.isTTY ? styleText(style, text) : text
  const say = (line: string): void => void out.write(`${line}\n`)

  function tell(module: TestModule): void {
    const where = relative('.', module.moduleId)
    const counts = { passed: 0, failed: 0, skipped: 0 }
    for (const error of module.errors()) {
      counts.failed++
      failures.push({ where, what: words(error) })
    }
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) {
        counts.failed++
        failures.push({ where: `${where} > ${suite.fullName}`, what: words(error) })
      }
    }
    for (const test of module.children.allTests()) counts[count(where, test)]++
    passed += counts.passed
    const mark =
      counts.failed > 0 ? paint('red', 'FAIL') : paint('green', counts.passed > 0 ? 'ok  ' : '--  ')
    const seconds = (module.diagnostic().duration / 1000).toFixed(1).padStart(6)
    const skips = counts.skipped > 0 ? paint('yellow', `, ${counts.skipped} skipped`) : ''
    const fails = counts.failed > 0 ? paint('red', `, ${counts.failed} failed`) : ''
    say(
      `${mark} ${seconds} s  ${where}  ${paint('dim', `${counts.passed} passed`)}${fails}${skips}`,
    )
  }

  function count(where: string, test: TestCase): 'passed' | 'failed' | 'skipped' {
    const result = test.result()
    if (result.state === 'passed') return 'passed'
    if (result.state === 'failed') {
      const what = result.errors.map((error) => words(error)).join('\n')
      failures.push({ where: `${where} > ${test.fullName}`, what })
      return 'failed'
    }
    // A skipped test comes from `suite`; a test that never ended was cut off by a crash.
    const [name = test.fullName, lacks] = test.fullName.split(skipMark)
    if (result.state === 'skipped') {
      skipped.push({ name: `${where} > ${name}`, lacks: lacks ?? 'a reason (skip by hand)' })
      return 'skipped'
    }
    failures.push({ where: `${where} > ${test.fullName}`, what: 'did not end' })
    return 'failed'
  }

  return {
    begin(project) {
      say(paint('dim', `\n${project}`))
    },
    reporter: {
      onTestModuleEnd: tell,
      onTestRunEnd(_modules, errors) {
        for (const error of errors) {
          failures.push({ where: 'outside any test', what: words(error) })
        }
      },
      onUserConsoleLog(log) {
        out.write(log.content)
      },
    },
    finish({ skippingAllowed }) {
      for (const { where, what } of failures) say(`\n${paint('red', 'FAIL')} ${where}\n${what}`)
      if (skipped.length > 0) say(paint('yellow', '\nskipped suites, and what they lack'))
      for (const { name, lacks } of skipped) say(`  ${name}  ${paint('yellow', lacks)}`)
      const failed = failures.length + (skippingAllowed ? 0 : skipped.length)
      if (passed + failed === 0) {
        say('\nno test matched')
        return 1
      }
      const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
      say(paint('dim', `\n${seconds} s`))
      const skips = skippingAllowed && skipped.length > 0 ? `, ${skipped.length} skipped` : ''
      say(`${passed} passed, ${failed} failed${skips}`)
      return failed === 0 ? 0 : 1
    },
  }
}

/**
 * The one test command: `npm test [-- unit|journeys|hostile|FILTER ...]`.
 *
 * Runs what this machine can and lists each suite that it skipped with what it lacks.
 * POSTERN_TEST=all runs every suite at full count, and a skipped one is a failure. The last line
 * is always `N passed, N failed`.
 */
import { startVitest } from 'vitest/node'
import { createProgress } from './test-progress.ts'

const projects = ['unit', 'journeys', 'hostile'] as const
const everything = process.env['POSTERN_TEST'] === 'all'

const asked = process.argv.slice(2)
const named = projects.filter((project) => asked.includes(project))
const filters = asked.filter((word) => !projects.some((project) => project === word))
const progress = createProgress(process.stdout)

// One project after the other: units share the cores among themselves, journeys and hostile
// suites start processes and measure time, so they run alone.
for (const project of named.length > 0 ? named : projects) {
  progress.begin(project)
  const vitest = await startVitest('test', filters, {
    project: [project],
    watch: false,
    passWithNoTests: true,
    reporters: [progress.reporter],
    allowOnly: !everything,
  })
  await vitest.close()
}

process.exitCode = progress.finish({ skippingAllowed: !everything })

/**
 * `npm run check`: types, lint, format, doors, unit tests, in under a minute.
 *
 * Every step runs even when an earlier one failed, so that one run tells everything.
 */
import { spawn } from 'node:child_process'

type Step = { readonly name: string; readonly command: string; readonly args: readonly string[] }

const here = process.execPath
const steps: readonly Step[] = [
  { name: 'types', command: 'tsc', args: ['-p', '.'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', command: 'oxfmt', args: ['--check', '.'] },
  { name: 'doors', command: here, args: ['tools/doors.ts'] },
  { name: 'units', command: here, args: ['tools/test.ts', 'unit'] },
]

function run(step: Step): Promise<{ readonly code: number; readonly said: string }> {
  return new Promise((resolve) => {
    const child = spawn(step.command, step.args, { stdio: ['ignore', 'pipe', 'pipe'] })
    const said: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => said.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => said.push(chunk))
    child.once('error', (cause) =>
      resolve({ code: 1, said: `${step.command}: ${String(cause)}\n` }),
    )
    child.once('close', (code) => {
      resolve({ code: code ?? 1, said: Buffer.concat(said).toString() })
    })
  })
}

const startMs = performance.now()
const failed: string[] = []
for (const step of steps) {
  const stepMs = performance.now()
  const { code, said } = await run(step)
  const seconds = ((performance.now() - stepMs) / 1000).toFixed(1).padStart(5)
  process.stdout.write(`${code === 0 ? 'ok  ' : 'FAIL'} ${seconds} s  ${step.name}\n`)
  if (code === 0) continue
  failed.push(step.name)
  process.stdout.write(`${said.trimEnd()}\n\n`)
}
const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
process.stdout.write(
  failed.length === 0
    ? `all well in ${seconds} s\n`
    : `failed: ${failed.join(', ')} (${seconds} s)\n`,
)
process.exitCode = failed.length === 0 ? 0 : 1

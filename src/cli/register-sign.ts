import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { readApproverKey, signShown, writeApproval } from '#register/approvals.ts'
import type { ToSign } from '#register/changes.ts'
import { Fault } from '#words/faults.ts'
import { askRegister } from './register-client.ts'
import type { SignOptions } from './register.ts'

/**
 * Shows each change that loosens, asks, and signs. The private key is read here and stays here:
 * control gets approval files, never keys. Returns what was signed.
 */
export async function signPlan(
  options: SignOptions & { readonly home: string },
): Promise<readonly string[]> {
  const key = readApproverKey(options.key)
  const toSign =
    options.plan === undefined
      ? (await askRegister(options.home, 'plan', {})).plan.toSign
      : readPlan(options.plan)
  const signed: string[] = []
  for (const what of toSign) {
    const file = signShown(what, key)
    process.stderr.write(`\n${file.shown}\n`)
    if (options.yes !== true && !(await agrees(`Sign ${what.about}?`))) continue
    if (options.out === undefined) {
      await askRegister(options.home, 'take-approval', { approval: file })
    } else {
      await writeApproval(options.out, file)
    }
    signed.push(what.about)
  }
  return signed
}

function readPlan(path: string): readonly ToSign[] {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as { plan?: { toSign?: unknown } }
    if (Array.isArray(value.plan?.toSign)) return value.plan.toSign as readonly ToSign[]
  } catch (cause) {
    throw new Fault('usage', { outward: `${path} is not a plan from \`plan --json\`.`, cause })
  }
  throw new Fault('usage', { outward: `${path} is not a plan from \`plan --json\`.` })
}

async function agrees(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new Fault('usage', { outward: 'Nobody is there to ask; pass --yes to sign without.' })
  }
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(?:es)?$/i.test((await lines.question(`${question} [y/N] `)).trim())
  } finally {
    lines.close()
  }
}

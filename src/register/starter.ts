import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { writeDurably } from '#blob/durable.ts'
import type { World } from '#words/clock.ts'
import { readApproverKey, signShown } from './approvals.ts'
import type { RegisterService } from './service.ts'

const starterDir = resolve(import.meta.dirname, '../../catalog/starter')
const dayMs = 24 * 3_600_000
/** How far away the ban of the tool in its grace period is when the starter is written. */
const graceDays = 30
const announcedDaysAgo = 7

/** The sample's approver stands under this name in the root file, so that nobody takes it for real. */
export const sampleApproverName = 'sample-approver'

/**
 * Writes the starter register into an empty register folder; one that holds any YAML file is left
 * as it is. Returns whether it wrote.
 */
export async function writeStarter(registerDir: string, world: World): Promise<boolean> {
  const held = existsSync(registerDir) ? readdirSync(registerDir) : []
  if (held.some((name) => /\.ya?ml$/.test(name))) return false
  const date = (days: number): string =>
    new Date(world.nowMs() + days * dayMs).toISOString().slice(0, 10)
  for (const name of readdirSync(starterDir).sort()) {
    const text = readFileSync(join(starterDir, name), 'utf8')
      .replaceAll('{BAN}', date(graceDays))
      .replaceAll('{ANNOUNCED}', date(-announcedDaysAgo))
    await writeDurably(join(registerDir, name), text)
  }
  return true
}

/**
 * Signs and applies whatever is planned, with the sample approver's key. For a trial only: here
 * one key on the same disk stands for the approvers whose keys no server should hold.
 *
 * Returns how many changes were applied; none when the register is what the files say.
 */
export async function applyAsSample(
  service: RegisterService,
  approverKeyPath: string,
): Promise<number> {
  const plan = service.plan()
  if (plan.changes.length === 0) return 0
  const key = readApproverKey(approverKeyPath)
  for (const what of plan.toSign) await service.takeApproval(signShown(what, key))
  const applied = await service.apply({ expectDigest: plan.digest })
  return applied.changes
}

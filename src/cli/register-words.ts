import { styleText } from 'node:util'
import type { RegisterAnswer } from '#register/calls.ts'
import { instantText } from '#words/clock.ts'
import { unreachable } from '#words/faults.ts'

type Planned = RegisterAnswer<'plan'>
type Listed = RegisterAnswer<'list'>['decisions']

type Style = Parameters<typeof styleText>[0]

/** Styled whatever the stream; whoever prints takes the styles out where nobody sees them. */
function paint(style: Style, text: string): string {
  return styleText(style, text, { validateStream: false })
}

export function planLines(
  plan: Planned['plan'],
  signatures: Planned['signatures'],
): readonly string[] {
  const lines: string[] = []
  for (const change of plan.changes) {
    const free = !('toSign' in change && change.toSign !== undefined)
    const effect = free ? paint('green', 'needs nobody') : paint('yellow', 'needs signatures')
    lines.push(`${paint('bold', titleOf(change))}  ${effect}`)
    for (const line of change.lines) lines.push(`    ${line}`)
  }
  for (const words of plan.warnings) lines.push(`${paint('yellow', 'note')} ${words}`)
  for (const row of signatures) {
    const count = `${row.signers.length} of ${row.threshold}`
    const names = row.signers.length === 0 ? '' : ` (${row.signers.join(', ')})`
    lines.push(
      `${row.holds ? paint('green', 'signed') : paint('yellow', 'to sign')} ${row.about}: ${count}${names}`,
    )
  }
  lines.push(
    plan.changes.length === 0
      ? 'the register is what the files say'
      : `${plan.changes.length} changes, ${plan.toSign.length} of them to sign; plan ${plan.digest}`,
  )
  return lines
}

function titleOf(change: Planned['plan']['changes'][number]): string {
  switch (change.kind) {
    case 'decision':
      return `${change.step} ${change.after.id}: ${change.after.status}`
    case 'ground':
      return `${change.before === null ? 'new' : 'changed'} ground (catalog, policies, sites)`
    case 'people':
      return 'people'
    default:
      return unreachable(change)
  }
}

const phaseStyles: Readonly<Record<string, Style>> = {
  'in force': 'bold',
  announced: 'yellow',
  'not yet': 'dim',
  over: 'dim',
  withdrawn: 'dim',
}

export function listLines(decisions: Listed): readonly string[] {
  if (decisions.length === 0) return ['the register is empty']
  const widths = [0, 0, 0]
  const rows = decisions.map((one) => {
    const cells = [one.id, one.subject, one.status]
    cells.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, cell.length)
    })
    return { cells, one }
  })
  return rows.map(({ cells, one }) => {
    const text = cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')
    return `${text}  ${paint(phaseStyles[one.phase] ?? 'white', phaseWords(one))}`
  })
}

function phaseWords(one: Listed[number]): string {
  const phases = Object.entries(one.phases)
  if (phases.every(([, phase]) => phase === one.phase)) return one.phase
  return phases.map(([site, phase]) => `${site}: ${phase}`).join(', ')
}

export function showLines(shown: RegisterAnswer<'show'>): readonly string[] {
  const known =
    shown.knownAtMs === 0
      ? 'nothing was known'
      : `last change known ${instantText(shown.knownAtMs)}`
  return [
    `at ${instantText(shown.atMs)}, as known at ${instantText(shown.asKnownAtMs)} (${known})`,
    ...listLines(shown.decisions),
  ]
}

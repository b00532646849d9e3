import { stringify } from 'yaml'
import { unreachable } from '#words/faults.ts'
import { writeDecision } from './decision-text.ts'
import type { RegisterState } from './ledger.ts'

export const exportFormats = ['yaml', 'json', 'csv'] as const
export type ExportFormat = (typeof exportFormats)[number]

/**
 * The register as files would say it: what `yaml` and `json` print can be put into the register
 * folder again and plans to no change. `csv` is for spreadsheets, one decision a row.
 */
export function exportRegister(state: RegisterState, format: ExportFormat): string {
  const catalog = state.ground?.catalog ?? null
  const decisions = [...state.decisions.values()]
    .map(({ decision }) => writeDecision(decision, catalog))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
  const groups = [...new Set(state.users.flatMap((user) => user.groups))].sort()
  const document = {
    sites: state.ground?.sites ?? [],
    groups,
    people: state.users.map((user) => ({
      id: user.id,
      groups: user.groups,
      ...(user.site === 'unknown' ? {} : { site: user.site }),
    })),
    classifications: state.ground?.classifications ?? {},
    decisions,
  }
  switch (format) {
    case 'yaml':
      return stringify(document, { version: '1.2', aliasDuplicateObjects: false, lineWidth: 100 })
    case 'json':
      return `${JSON.stringify(document, null, 2)}\n`
    case 'csv':
      return [csvColumns.join(','), ...decisions.map(csvRow)].map((row) => `${row}\r\n`).join('')
    default:
      return unreachable(format)
  }
}

const csvColumns = [
  'id',
  'subject',
  'status',
  'scope',
  'effectiveFrom',
  'effectiveUntil',
  'announceFrom',
  'profile',
  'alternatives',
  'removalDeadline',
  'owner',
  'approvers',
  'withdrawn',
  'rationale',
] as const

function csvRow(decision: ReturnType<typeof writeDecision>): string {
  return csvColumns.map((column) => csvCell(decision[column])).join(',')
}

/** RFC 4180; a cell that a spreadsheet would run as a formula is made text by an apostrophe. */
function csvCell(value: unknown): string {
  const text = value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

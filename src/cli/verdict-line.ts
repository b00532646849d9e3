import { styleText } from 'node:util'

export type VerdictRow = {
  readonly atMs: number
  readonly tool: string
  readonly release: string
  readonly verdict: string
  readonly wouldBe: string
  readonly message: string
  readonly reason: string
  readonly reference: string
}

type Style = Parameters<typeof styleText>[0]
const styles: Readonly<Record<string, Style>> = {
  allow: 'green',
  warn: 'yellow',
  redact: 'cyan',
  hold: 'magenta',
  block: 'red',
}

/** One verdict as one aligned line, and what the person was told on the next. */
export function verdictLine(row: VerdictRow, columns: number): string {
  const time = new Date(row.atMs).toLocaleTimeString('en-GB')
  const tool = `${row.tool} ${row.release}`.trim().slice(0, 24).padEnd(24)
  const kind = styleText(styles[row.verdict] ?? 'white', row.verdict.padEnd(6))
  const observed = row.verdict === row.wouldBe ? '' : styleText('dim', ` (would be ${row.wouldBe})`)
  const first = `  ${styleText('dim', time)}  ${kind} ${tool}${observed}`
  const told = row.message === '' ? row.reason : row.message
  if (told === '') return first
  return [
    first,
    ...wrap(told, Math.max(40, columns - 20)).map((line) =>
      styleText('dim', `${' '.repeat(19)}${line}`),
    ),
  ].join('\n')
}

/** Breaks at spaces; a word longer than a line stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  if (line !== '') lines.push(line)
  return lines
}

/** One measured figure. A row with a `target` says whether it `holds`. */
export type Row = {
  readonly bench: string
  readonly case: string
  readonly metric: string
  readonly value: number
  readonly unit: string
  /** Number of samples or rounds behind the figure. */
  readonly n: number
  readonly target?: string
  readonly holds?: boolean
}

export type Emit = (row: Row) => void

export type BenchOptions = {
  /** Leave out other people's programs. */
  readonly peers: boolean
  /** Only cases whose name contains this. */
  readonly only: string
  /** Where to leave CPU profiles of what is measured; empty: none. */
  readonly profileDir: string
}

export type Bench = (emit: Emit, options: BenchOptions) => Promise<void>

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The nearest rank: no figure that was never measured. NaN of nothing. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN
}

export function shown(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en-US', {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  })
}

export function rowLine(row: Row): string {
  const figure = `${shown(row.value)} ${row.unit}`.padStart(18)
  const target = row.target === undefined ? '' : `  target ${row.target}`
  const holds = row.holds === undefined ? '' : row.holds ? '  holds' : '  FALLS SHORT'
  return `${row.case.padEnd(40)} ${row.metric.padEnd(32)} ${figure}  n=${row.n}${target}${holds}`
}

export type Machine = Readonly<Record<'cores' | 'cpu' | 'memory' | 'kernel' | 'node', string>>

/** The page is made from rows alone, so that it can be made again. */
export function page(machine: Machine, rows: readonly Row[]): string {
  const lines = [
    '# Benchmarks',
    '',
    'Made by `npm run bench -- all --write`; never edited by hand. Load generator, scripted provider and',
    'gate share the cores of one machine, so ratios within a run say more than absolute figures.',
    '',
    ...Object.entries(machine).map(([name, value]) => `- ${name}: ${value}`),
  ]
  for (const bench of new Set(rows.map((row) => row.bench))) {
    const own = rows.filter((row) => row.bench === bench)
    lines.push('', `## ${bench}`, '', '| case | metric | value | n | target | holds |')
    lines.push('|---|---|---:|---:|---|---|')
    for (const row of own) {
      const holds = row.holds === undefined ? '' : row.holds ? 'yes' : '**no**'
      lines.push(
        `| ${row.case} | ${row.metric} | ${shown(row.value)} ${row.unit} | ${row.n} | ${row.target ?? ''} | ${holds} |`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

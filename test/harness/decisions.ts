/** Decisions as a register file says them, for tests: YAML by hand is what people write, too. */
type Written = {
  readonly id: string
  readonly tool: string
  readonly status: string
  readonly from: string
  readonly until?: string
  readonly announceFrom?: string
  readonly alternatives?: readonly string[]
  readonly openStreams?: string
  readonly profile?: string
}

export function decisionsText(rows: readonly Written[]): string {
  const lines = rows.map((row) => {
    const permits = ['approved', 'conditional', 'tolerated'].includes(row.status)
    return [
      `  - id: ${row.id}`,
      `    subject: { tool: ${row.tool} }`,
      `    status: ${row.status}`,
      `    effectiveFrom: ${row.from}`,
      ...(row.until === undefined ? [] : [`    effectiveUntil: ${row.until}`]),
      ...(row.announceFrom === undefined ? [] : [`    announceFrom: ${row.announceFrom}`]),
      ...(row.alternatives === undefined
        ? []
        : [`    alternatives: [${row.alternatives.join(', ')}]`]),
      ...(row.openStreams === undefined ? [] : [`    openStreams: ${row.openStreams}`]),
      ...(row.profile === undefined ? [] : [`    profile: ${row.profile}`]),
      '    rationale: Decided for a test.',
      '    owner: security',
      ...(permits ? ['    approvers: [sample-approver]'] : []),
    ].join('\n')
  })
  return `decisions:\n${lines.join('\n')}\n`
}

/** Every tool of the journeys is approved since long ago, save those that `rows` speak of. */
export function approvedBut(
  rows: readonly Written[],
  until: Readonly<Record<string, string>> = {},
) {
  const always = ['claude-code', 'codex', 'qwen-code', 'opencode'].map((tool) => ({
    id: `dec-${tool}`,
    tool,
    status: 'approved',
    from: '2026-01-01',
    ...(until[tool] === undefined ? {} : { until: until[tool] }),
  }))
  return decisionsText([...always, ...rows])
}

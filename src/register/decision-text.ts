import type { Catalog } from '#words/catalog.ts'
import type { Decision, Scope, Subject, When } from '#words/decision.ts'
import { invariant, unreachable } from '#words/faults.ts'
import type { ToolId } from '#words/ids.ts'
import type { WrittenDecision } from './register-schema.ts'
import { parseInstant, parseWhen, whenText } from './when.ts'

/** From the friendly spelling of a register file to the decision that gates read, and back. */
export function readDecision(written: WrittenDecision, subject: Subject): Decision {
  const { openStreams } = written
  return {
    id: written.id as Decision['id'],
    subject,
    status: written.status,
    scope: (written.scope ?? {}) as unknown as Scope,
    effectiveFrom: when(written.effectiveFrom),
    ...(written.effectiveUntil === undefined
      ? {}
      : { effectiveUntil: when(written.effectiveUntil) }),
    ...(written.announceFrom === undefined ? {} : { announceFrom: when(written.announceFrom) }),
    profile: written.profile,
    ...(written.custody === undefined ? {} : { custody: written.custody }),
    ...(written.level === undefined ? {} : { level: written.level }),
    openStreams:
      openStreams === 'finish'
        ? { kind: 'finish' }
        : { kind: 'cut', afterSeconds: openStreams.cutAfterSeconds },
    conditions: written.conditions,
    alternatives: written.alternatives.map((one) =>
      typeof one === 'string' ? { tool: one as ToolId } : { ...one, tool: one.tool as ToolId },
    ),
    ...(written.removalDeadline === undefined
      ? {}
      : { removalDeadline: when(written.removalDeadline) }),
    rationale: written.rationale.trim(),
    evidence: written.evidence,
    owner: written.owner,
    approvers: written.approvers,
    ...(written.withdrawn === undefined ? {} : { withdrawnAtMs: instant(written.withdrawn) }),
  }
}

export function writeDecision(decision: Decision, catalog: Catalog | null): WrittenDecision {
  const { openStreams, withdrawnAtMs } = decision
  const optional = (key: string, value: When | undefined): Record<string, string> =>
    value === undefined ? {} : { [key]: whenText(value) }
  return {
    id: decision.id,
    subject: writeSubject(decision.subject, catalog),
    status: decision.status,
    ...(Object.keys(decision.scope).length === 0
      ? {}
      : { scope: decision.scope as unknown as NonNullable<WrittenDecision['scope']> }),
    effectiveFrom: whenText(decision.effectiveFrom),
    ...optional('effectiveUntil', decision.effectiveUntil),
    ...optional('announceFrom', decision.announceFrom),
    profile: decision.profile,
    ...(decision.custody === undefined ? {} : { custody: decision.custody }),
    ...(decision.level === undefined ? {} : { level: decision.level }),
    openStreams:
      openStreams.kind === 'finish' ? 'finish' : { cutAfterSeconds: openStreams.afterSeconds },
    conditions: [...decision.conditions],
    alternatives: decision.alternatives.map((one) =>
      one.note === undefined ? one.tool : { tool: one.tool, note: one.note },
    ),
    ...optional('removalDeadline', decision.removalDeadline),
    rationale: decision.rationale,
    evidence: [...decision.evidence],
    owner: decision.owner,
    approvers: [...decision.approvers],
    ...(withdrawnAtMs === undefined ? {} : { withdrawn: new Date(withdrawnAtMs).toISOString() }),
  }
}

function writeSubject(subject: Subject, catalog: Catalog | null): WrittenDecision['subject'] {
  switch (subject.kind) {
    case 'tool':
      return { tool: subject.tool }
    case 'vendor':
      return { vendor: subject.vendor }
    case 'provider':
      return { provider: subject.provider }
    case 'model-family':
      return { modelFamily: subject.family }
    case 'release': {
      const row = catalog?.tools.find((tool) => tool.id === subject.tool)
      return {
        release: `${row?.packages[0] ?? `pkg:generic/${subject.tool}`}@${subject.version}`,
        ...(subject.sha512 === undefined ? {} : { sha512: subject.sha512 }),
      }
    }
    default:
      return unreachable(subject)
  }
}

/** `Claude Code`, `Codex 0.169.0`, `every tool of Anthropic`, for a person. */
export function subjectWords(subject: Subject, catalog: Catalog | null): string {
  switch (subject.kind) {
    case 'tool':
      return catalog?.tools.find((tool) => tool.id === subject.tool)?.name ?? subject.tool
    case 'release': {
      const name = catalog?.tools.find((tool) => tool.id === subject.tool)?.name ?? subject.tool
      return `${name} ${subject.version}`
    }
    case 'vendor':
      return `every tool of ${catalog?.vendors.find((row) => row.id === subject.vendor)?.name ?? subject.vendor}`
    case 'provider':
      return `provider ${subject.provider}`
    case 'model-family':
      return `models ${subject.family}`
    default:
      return unreachable(subject)
  }
}

function when(text: string): When {
  const read = parseWhen(text)
  invariant(read !== null, 'the schema checked the date')
  return read
}

function instant(text: string): number {
  const read = parseInstant(text)
  invariant(read !== null, 'the schema checked the instant')
  return read
}

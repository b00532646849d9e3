import type { Subject } from '#words/decision.ts'
import { unreachable } from '#words/faults.ts'

/** The subject as a person writes it: `tool claude-code`, `release codex 0.150.0`. */
export function subjectText(subject: Subject): string {
  switch (subject.kind) {
    case 'tool':
      return `tool ${subject.tool}`
    case 'release':
      return `release ${subject.tool} ${subject.version}${subject.sha512 ? ` (sha-512 ${subject.sha512})` : ''}`
    case 'vendor':
      return `vendor ${subject.vendor}`
    case 'provider':
      return `provider ${subject.provider}`
    case 'model-family':
      return `model family ${subject.family}`
    default:
      return unreachable(subject)
  }
}

/** What the journeys share: roads to a gate, and a midnight that lies close enough to now. */
import type { ClientName } from './client-install.ts'
import type { Road } from './clients.ts'
import type { Person, Postern } from './gate.ts'

export const doors = ['base-url', 'tls'] as const
export type DoorName = (typeof doors)[number]

const mounts = { 'claude-code': 'anthropic', codex: 'openai' } as const
export const toolNames = { 'claude-code': 'Claude Code', codex: 'Codex' } as const

export function roadTo(
  postern: Postern,
  client: ClientName,
  door: DoorName,
  options: { readonly person?: Person; readonly through?: string } = {},
): Road {
  const token = postern.token(options.person ?? 'li.wei')
  if (door === 'tls') return { door, proxy: postern.proxy, token, caFile: postern.caFile }
  return { door, base: `${options.through ?? postern.baseUrl}/${mounts[client]}`, token }
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const shanghaiAheadMs = 8 * hourMs

/**
 * The last midnight of Shanghai that is at least an hour ago. Clients check certificates by the
 * real clock, so the clock of the gate is only ever set to hours that are just past.
 */
export function recentMidnight(): {
  readonly ms: number
  readonly date: string
  readonly dayBefore: string
} {
  const local = Date.now() - hourMs + shanghaiAheadMs
  const ms = Math.floor(local / dayMs) * dayMs - shanghaiAheadMs
  const date = (at: number): string => new Date(at + shanghaiAheadMs).toISOString().slice(0, 10)
  return { ms, date: date(ms), dayBefore: date(ms - dayMs) }
}

/** Words that send a person the wrong way when they stand beside a refusal. */
export const misleading = /log ?in|try again|rate limit|issue with the selected model|reconnecting/i

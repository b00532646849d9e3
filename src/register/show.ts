import type { Catalog } from '#words/catalog.ts'
import type { Decision, Site, Status } from '#words/decision.ts'
import type { DecisionId, SiteId } from '#words/ids.ts'
import { subjectWords } from './decision-text.ts'
import type { RegisterState } from './ledger.ts'
import { intervalOf } from './scope.ts'
import { whenMs } from './when.ts'

/** Where a decision stands at one instant, by the clock of one site. */
export type Phase = 'announced' | 'in force' | 'not yet' | 'over' | 'withdrawn'

export type ListedDecision = {
  readonly id: DecisionId
  readonly subject: string
  readonly status: Status
  /** The furthest phase at any site, and per site where they differ. */
  readonly phase: Phase
  readonly phases: Readonly<Record<string, Phase>>
  readonly profile: Decision['profile']
  readonly owner: string
  readonly revision: number
  readonly knownAtMs: number
  readonly decision: Decision
}

export type Shown = {
  readonly atMs: number
  readonly asKnownAtMs: number
  /** Transaction time of the last change that this answer rests on. */
  readonly knownAtMs: number
  readonly sites: readonly Site[]
  readonly decisions: readonly ListedDecision[]
}

const nowhere = { id: 'anywhere' as SiteId, timeZone: 'UTC', country: '' }

export function listDecisions(state: RegisterState, atMs: number): readonly ListedDecision[] {
  const sites = sitesOf(state)
  const catalog: Catalog | null = state.ground?.catalog ?? null
  return [...state.decisions.values()]
    .map((held) => {
      const { decision } = held
      const phases = Object.fromEntries(
        sites.map((site) => [site.id, phaseAt(decision, site.timeZone, atMs)]),
      )
      const all = Object.values(phases)
      return {
        id: decision.id,
        subject: subjectWords(decision.subject, catalog),
        status: decision.status,
        phase: order.find((phase) => all.includes(phase)) ?? 'not yet',
        phases,
        profile: decision.profile,
        owner: decision.owner,
        revision: decision.revision ?? 0,
        knownAtMs: held.knownAtMs,
        decision,
      }
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

const order: readonly Phase[] = ['in force', 'announced', 'not yet', 'withdrawn', 'over']

export function phaseAt(decision: Decision, timeZone: string, atMs: number): Phase {
  const { fromMs } = intervalOf(decision, timeZone)
  if (decision.withdrawnAtMs !== undefined && atMs >= decision.withdrawnAtMs) return 'withdrawn'
  if (decision.effectiveUntil !== undefined && atMs >= whenMs(decision.effectiveUntil, timeZone)) {
    return 'over'
  }
  if (atMs >= fromMs) return 'in force'
  const announced =
    decision.announceFrom !== undefined && atMs >= whenMs(decision.announceFrom, timeZone)
  return announced ? 'announced' : 'not yet'
}

/** What counted at an instant, as the register knew it at another: both times of the register. */
export function showRegister(state: RegisterState, atMs: number, asKnownAtMs: number): Shown {
  return {
    atMs,
    asKnownAtMs,
    knownAtMs: state.knownAtMs,
    sites: sitesOf(state),
    decisions: listDecisions(state, atMs).filter(
      ({ phases }) =>
        Object.values(phases).includes('in force') || Object.values(phases).includes('announced'),
    ),
  }
}

function sitesOf(state: RegisterState): readonly Site[] {
  const sites = state.ground?.sites ?? []
  return sites.length === 0 ? [nowhere] : sites
}

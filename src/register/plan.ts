import { sha256Hex } from '#decide/keys.ts'
import type { GroundPart } from '#words/bundle.ts'
import { canonicalJson } from '#words/canonical.ts'
import type { Catalog } from '#words/catalog.ts'
import type { World } from '#words/clock.ts'
import type { Decision, Profile } from '#words/decision.ts'
import { permits } from '#words/decision.ts'
import { findStranded } from './alternatives.ts'
import { changeOfDecision, changeOfGround, changeOfPeople } from './changes.ts'
import type { Change, ToSign } from './changes.ts'
import { findContradictions, forbids } from './contradictions.ts'
import type { Contradiction } from './contradictions.ts'
import type { RegisterState } from './ledger.ts'
import type { PolicyFiles } from './policy-files.ts'
import type { RegisterFiles } from './register-files.ts'
import { intervalOf } from './scope.ts'
import { throwProblems } from './yaml-file.ts'

/** What the files ask for, all of it. */
export type Wanted = {
  readonly files: RegisterFiles
  readonly catalog: Catalog
  readonly policies: PolicyFiles
  readonly house: {
    readonly defaultProfile: Profile
    readonly otherHosts: 'tunnel' | 'refuse'
    readonly sharedHostsOn: readonly string[]
  }
}

export type Plan = {
  readonly changes: readonly Change[]
  /** What approvers have to sign before `apply` takes it. */
  readonly toSign: readonly ToSign[]
  readonly warnings: readonly string[]
  /** Names exactly these changes: `apply` can be told to take these and no others. */
  readonly digest: string
}

/**
 * Compares the files with the register.
 *
 * Throws `register-contradiction`, naming both decisions and the instant; `register-alternative`,
 * naming the ban and whom it would leave without; `register-invalid` when a decision is gone from
 * the files (decisions are withdrawn, never deleted) or an id is used again. Nothing is written.
 */
export function makePlan(wanted: Wanted, state: RegisterState, world: World): Plan {
  const { files, catalog } = wanted
  const nowMs = world.nowMs()
  const decisions = files.decisions
  const known = new Set<string>(decisions.map((decision) => decision.id))
  throwProblems(
    'register-invalid',
    [...state.decisions.values()]
      .filter(({ decision }) => !known.has(decision.id))
      .map(({ decision }) =>
        files.problem(
          decision.id,
          `${decision.id} is in force but not in the files; keep it and write \`withdrawn: ${new Date(nowMs).toISOString()}\` (export prints it)`,
        ),
      ),
  )
  const changes: Change[] = []
  const ground = changeOfGround(state.ground, groundOf(wanted))
  if (ground !== null) changes.push(ground)
  const people = changeOfPeople(state.users, files.users)
  if (people !== null) changes.push(people)
  for (const decision of decisions) {
    const change = changeOfDecision(state.decisions.get(decision.id), decision)
    if (change === null) continue
    if ('words' in change) {
      throwProblems('register-invalid', [files.problem(change.id, change.words)])
    } else changes.push(change)
  }

  const changed = new Set<string>(
    changes.flatMap((change) => (change.kind === 'decision' ? [change.after.id] : [])),
  )
  const clashes = findContradictions(decisions, catalog, files)
  // An urgent ban is not held up by approvals that it leaves without effect; a new approval that
  // could have none is.
  const refused = clashes.filter(({ kind, a }) => kind === 'same-scope' || changed.has(a.id))
  throwProblems(
    'register-contradiction',
    refused.map((one) => files.problem(one.b.id, clashWords(one))),
  )
  const idle = clashes.filter((one) => !refused.includes(one))
  const bans = decisions.filter((one) => forbids(one) && endsAfter(one, files, nowMs))
  const stranded = findStranded(bans, decisions, catalog, files, nowMs)
  throwProblems(
    'register-alternative',
    stranded
      .filter(({ ban }) => changed.has(ban.id))
      .map(({ ban, words }) => files.problem(ban.id, words)),
  )
  const toSign = changes.flatMap((change) =>
    'toSign' in change && change.toSign !== undefined ? [change.toSign] : [],
  )
  return {
    changes,
    toSign,
    warnings: [
      ...idle.slice(0, warningsMax).map(clashWords),
      ...(idle.length > warningsMax
        ? [`${idle.length - warningsMax} more approvals are left without effect`]
        : []),
      // An urgent ban must not fail because an older one named the tool as its alternative.
      ...stranded.filter(({ ban }) => !changed.has(ban.id)).map(({ words }) => words),
      ...bans
        .filter((ban) => changed.has(ban.id) && ban.alternatives.length === 0)
        .map((ban) => `${ban.id} names no alternative; people will look for their own`),
    ],
    digest: sha256Hex(
      canonicalJson(
        changes.map((change) =>
          change.kind === 'people'
            ? { people: change.users }
            : { [change.kind]: change.after, before: change.before },
        ),
      ),
    ),
  }
}

const warningsMax = 20

function clashWords({ words, site, atMs }: Contradiction): string {
  return `${words}; both count at ${site.id} from ${new Date(atMs).toISOString()}: end, withdraw or narrow one of them`
}

/**
 * In which order the changes are written down. Restrictions first: a process that dies between two
 * of them leaves a register that is too strict, never one that is too open.
 */
export function inOrder(changes: readonly Change[]): readonly Change[] {
  const rank = (change: Change): number => {
    if (change.kind === 'ground') return 1
    if (change.kind === 'people') return 2
    return loosens(change.after) ? 3 : 0
  }
  return [...changes].sort((a, b) => rank(a) - rank(b))
}

function loosens(decision: Decision): boolean {
  return permits(decision.status) && decision.withdrawnAtMs === undefined
}

function groundOf({ files, catalog, policies, house }: Wanted): GroundPart {
  return {
    catalog,
    policies: policies.policies,
    schema: policies.schema,
    sites: files.sites,
    classifications: files.classifications,
    defaultProfile: house.defaultProfile,
    otherHosts: house.otherHosts,
    sharedHostsOn: house.sharedHostsOn,
    approval: null,
  }
}

function endsAfter(decision: Decision, files: RegisterFiles, nowMs: number): boolean {
  const zones = files.sites.length === 0 ? ['UTC'] : files.sites.map((site) => site.timeZone)
  return zones.some((zone) => intervalOf(decision, zone).untilMs > nowMs)
}

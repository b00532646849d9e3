import { approvalHolds, groundSigned } from '#decide/approval.ts'
import { validatePolicies } from '#decide/validate.ts'
import type { BundleParts, RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { Catalog } from '#words/catalog.ts'
import type { Approval, Decision } from '#words/decision.ts'
import { Fault, unreachable } from '#words/faults.ts'
import { combineApprovals, parseApproval, readApprovals, writeApproval } from './approvals.ts'
import { loadCatalog } from './catalog-files.ts'
import type { Change } from './changes.ts'
import { compileParts } from './compile-bundle.ts'
import type { Config } from './config-file.ts'
import type { Ledger, LedgerLine, RegisterEvent } from './events.ts'
import { exportRegister } from './export.ts'
import type { ExportFormat } from './export.ts'
import { createProjection, project } from './ledger.ts'
import type { Projection, RegisterState } from './ledger.ts'
import { inOrder, makePlan } from './plan.ts'
import type { Plan } from './plan.ts'
import { readPolicyFiles } from './policy-files.ts'
import type { PolicyFiles } from './policy-files.ts'
import { createPrincipals } from './principals.ts'
import type { Principals } from './principals.ts'
import { readRegisterFiles } from './register-files.ts'
import { listDecisions, showRegister } from './show.ts'
import type { ListedDecision, Shown } from './show.ts'

export type RegisterServiceInput = {
  readonly world: World
  readonly config: Config
  readonly root: RootFile
  readonly ledger: Ledger
  /** Folder of approval files; `<home>/approvals`. */
  readonly approvalsDir: string
  /** Throws `policy-invalid`; by default `decide`'s compiler. */
  readonly checkPolicies?: (files: PolicyFiles) => void
  /** Called after each change that gates should hear of, before the caller gets its answer. */
  readonly onChange?: () => Promise<unknown>
}

export type Applied = {
  readonly digest: string
  readonly changes: number
  /** Digests of the ledger lines, as they stand in the log. */
  readonly entries: readonly string[]
}

/**
 * The register, as CLI and API see it. One instance per home: it is the only writer.
 *
 * A change is durable and in the log before a method returns, and before gates hear of it.
 */
export class RegisterService {
  readonly #input: RegisterServiceInput
  readonly #projection: Projection
  readonly #lines: LedgerLine[]
  #queue: Promise<unknown> = Promise.resolve()
  readonly principals: Principals

  private constructor(input: RegisterServiceInput, lines: LedgerLine[], projection: Projection) {
    this.#input = input
    this.#lines = lines
    this.#projection = projection
    this.principals = createPrincipals({
      world: input.world,
      state: () => this.state(),
      change: (decide) => this.#change(decide),
    })
  }

  static async open(input: RegisterServiceInput): Promise<RegisterService> {
    const lines: LedgerLine[] = []
    const projection = createProjection()
    for await (const line of input.ledger.list()) {
      lines.push(line)
      projection.take(line)
    }
    return new RegisterService(input, lines, projection)
  }

  /** As it is known now, or as it was known at an instant. */
  state(asKnownAtMs?: number): RegisterState {
    return asKnownAtMs === undefined ? this.#projection.state() : project(this.#lines, asKnownAtMs)
  }

  /** What gates should enforce. Throws `register-invalid` while nothing was applied. */
  compile(): BundleParts {
    return compileParts(this.state(), this.#input.world.nowMs())
  }

  catalog(): Catalog {
    return loadCatalog(this.#input.config.catalogDir)
  }

  /** Compares the files with the register; writes nothing. */
  plan(): Plan {
    const { config, world } = this.#input
    const catalog = this.catalog()
    const policies = readPolicyFiles(config.policiesDir)
    ;(this.#input.checkPolicies ?? checkPolicies)(policies)
    return makePlan(
      {
        files: readRegisterFiles(config.registerDir, catalog),
        catalog,
        policies,
        house: config,
      },
      this.state(),
      world,
    )
  }

  /** Which signatures a plan still lacks: what about, who signed, how many are asked for. */
  signatures(plan: Plan): readonly {
    readonly about: string
    readonly digest: string
    readonly signers: readonly string[]
    readonly threshold: number
    readonly holds: boolean
  }[] {
    const files = readApprovals(this.#input.approvalsDir)
    return plan.toSign.map((what) => {
      const combined = combineApprovals(what, files.get(what.digest) ?? [], this.#input.root)
      return {
        about: what.about,
        digest: what.digest,
        signers: combined.signers,
        threshold: this.#input.root.threshold,
        holds: combined.approval !== null,
      }
    })
  }

  /** Keeps an approval file that an approver handed in. */
  async takeApproval(value: unknown): Promise<string> {
    const file = parseApproval(value, 'The approval')
    return await writeApproval(this.#input.approvalsDir, file)
  }

  /**
   * Writes what the files ask for into the ledger.
   *
   * Throws `bundle-unsigned-loosening`, naming each change that lacks signatures, and then writes
   * nothing; `not-permitted` when the plan is no longer the one that was looked at.
   */
  async apply(input: { readonly expectDigest?: string } = {}): Promise<Applied> {
    return await this.#change(() => {
      const plan = this.plan()
      if (input.expectDigest !== undefined && input.expectDigest !== plan.digest) {
        throw new Fault('not-permitted', {
          outward: 'The files or the register changed since the plan was shown; plan again.',
        })
      }
      const { root, approvalsDir } = this.#input
      const files = readApprovals(approvalsDir)
      const missing: string[] = []
      const events = inOrder(plan.changes).map((change) => {
        const what = 'toSign' in change ? change.toSign : undefined
        if (what === undefined) return eventOf(change, null)
        const { approval, signers } = combineApprovals(what, files.get(what.digest) ?? [], root)
        if (approval === null) {
          missing.push(
            `${what.about}: ${signers.length} of ${root.threshold} signatures (${what.digest.slice(0, 12)})`,
          )
        }
        return eventOf(change, approval)
      })
      if (missing.length > 0) {
        throw new Fault('bundle-unsigned-loosening', {
          outward: `These changes loosen and lack signatures:\n${missing.join('\n')}`,
        })
      }
      return {
        events,
        answer: (entries) => ({ digest: plan.digest, changes: events.length, entries }),
      }
    })
  }

  list(): readonly ListedDecision[] {
    return listDecisions(this.state(), this.#input.world.nowMs())
  }

  /** What counts at an instant, as it was known at another one. Both by default now. */
  show(input: { readonly atMs?: number; readonly asKnownAtMs?: number } = {}): Shown {
    const nowMs = this.#input.world.nowMs()
    const asKnownAtMs = input.asKnownAtMs ?? nowMs
    return showRegister(this.state(asKnownAtMs), input.atMs ?? nowMs, asKnownAtMs)
  }

  export(format: ExportFormat): string {
    return exportRegister(this.state(), format)
  }

  /** Does each approval in the register still hold under the root file? For `doctor`. */
  unsupported(): readonly string[] {
    const { root } = this.#input
    const state = this.state()
    const found: string[] = []
    const { ground } = state
    if (ground !== null && !approvalHolds(ground.approval, groundSigned(ground), root)) {
      found.push('ground')
    }
    for (const { decision, approval } of state.decisions.values()) {
      if (approval !== null && !standsUnder(approval, decision, root)) {
        found.push(`decision ${decision.id}`)
      }
    }
    return found
  }

  /** One change after the other; `decide` sees the state that the one before left. */
  async #change<Answer>(
    decide: () => {
      readonly events: readonly RegisterEvent[]
      readonly answer: (entries: readonly string[]) => Answer
    },
  ): Promise<Answer> {
    const turn = this.#queue.then(async () => {
      const { events, answer } = decide()
      const entries: string[] = []
      for (const event of events) {
        const line = await this.#input.ledger.append(event)
        this.#lines.push(line)
        this.#projection.take(line)
        entries.push(line.entry)
      }
      if (events.length > 0) await this.#input.onChange?.()
      return answer(entries)
    })
    this.#queue = turn.catch(() => undefined)
    return await turn
  }
}

function checkPolicies(files: PolicyFiles): void {
  validatePolicies(files.policies, files.schema)
}

function eventOf(change: Change, approval: Approval | null): RegisterEvent {
  switch (change.kind) {
    case 'decision':
      return {
        kind: 'decision-set',
        decision: change.after,
        approval: change.toSign === undefined ? change.keeps : approval,
      }
    case 'ground':
      return { kind: 'ground-set', ground: { ...change.after, approval } }
    case 'people':
      return { kind: 'people-set', users: change.users }
    default:
      return unreachable(change)
  }
}

/** A withdrawal adds its instant to what was signed; the signature is over the form before it. */
function standsUnder(approval: Approval, decision: Decision, root: RootFile): boolean {
  const { withdrawnAtMs: _, ...standing } = decision
  return approvalHolds(approval, decision, root) || approvalHolds(approval, standing, root)
}

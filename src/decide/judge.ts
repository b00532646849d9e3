import type { GroundPart } from '#words/bundle.ts'
import type { Content } from '#words/content.ts'
import type { Profile } from '#words/decision.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { VerdictKind } from '#words/verdict.ts'
import { askBuilder, quietAction, useAction } from './ask.ts'
import type { Candidate } from './ask.ts'
import type { Answer, CompiledPolicies, CompiledPolicy } from './compile.ts'
import type { Request } from './compile-expression.ts'
import { policySet } from './compile.ts'
import type { Entity } from './cedar-value.ts'
import { familyReader } from './families.ts'
import { Memo } from './memo.ts'
import type { MemoKey } from './memo.ts'
import { askedOf } from './resolve.ts'
import type { Resolver } from './resolve.ts'

/** One candidate, decided: what it comes to, and what it would come to under `enforce`. */
export type Judged = {
  readonly candidate: Candidate
  readonly profile: Profile
  readonly kind: VerdictKind
  readonly wouldBe: VerdictKind
  /** Built when asked for: an exchange that passes as thousands before it needs none. */
  readonly request: () => Request
  /** The answer that made it so: of `use`, or of `useQuietly` for a warning. */
  readonly answer: Answer
}

/** Decides a request by the compiled policies, or by the oracle after a mismatch. */
export type Authorize = (request: Request, quiet: boolean) => Answer

const rank: Readonly<Record<VerdictKind, number>> = {
  allow: 0,
  warn: 1,
  redact: 2,
  hold: 3,
  block: 4,
}

/** Policies that cannot speak of an action are left out of its list once, not at every request. */
export function byAction(compiled: CompiledPolicies): {
  readonly use: CompiledPolicies
  readonly quiet: CompiledPolicies
} {
  const about = (action: string): CompiledPolicy[] =>
    compiled.policies.filter(({ source: { json } }) => {
      const scope = json.action
      if (scope.op === '==' && 'entity' in scope) return idOf(scope.entity) === action
      if (scope.op === 'in' && 'entities' in scope) {
        return scope.entities.some((entity) => idOf(entity) === action)
      }
      return true
    })
  return { use: policySet(about('use')), quiet: policySet(about('useQuietly')) }
}

function idOf(entity: { id: string } | { __entity: { id: string } }): string {
  return '__entity' in entity ? entity.__entity.id : entity.id
}

/**
 * Decides an exchange: once for the approval that covers the tool (or for `unknown`), and once for
 * each restriction in force, until one refuses. The strictest outcome counts, so a restriction
 * under `observe` never opens what the approval's own profile closes.
 */
export class Judge {
  readonly families: (model: string) => readonly string[]
  readonly #resolver: Resolver
  readonly #defaultProfile: Profile
  readonly #builder: ReturnType<typeof askBuilder>
  readonly #authorize: Authorize

  readonly #key: MemoKey
  readonly #mistrusted: () => boolean
  readonly #useMemo = new Memo()
  readonly #quietMemo = new Memo()

  constructor(
    ground: GroundPart,
    resolver: Resolver,
    evaluate: {
      readonly authorize: Authorize
      readonly key: MemoKey
      readonly mistrusted: () => boolean
    },
  ) {
    this.families = familyReader(ground.catalog)
    this.#resolver = resolver
    this.#defaultProfile = ground.defaultProfile
    this.#builder = askBuilder(ground.catalog)
    this.#authorize = evaluate.authorize
    this.#key = evaluate.key
    this.#mistrusted = evaluate.mistrusted
  }

  /** `every`: go on after a block, for an explanation; the first is always the one that counts. */
  judge(
    exchange: Exchange,
    caller: Caller,
    content: Content,
    atMs: number,
    every: Judged[] | null = null,
  ): Judged {
    const families = this.families(content.model)
    const { approval, restricting, announced } = this.#resolver.resolve(
      askedOf(exchange, caller, content, families),
      atMs,
    )
    const asked: AskedOnce = { exchange, caller, content, families, atMs }
    const one = (candidate: Candidate, profile: Profile): Judged => {
      const judged = this.#one(asked, candidate, profile)
      every?.push(judged)
      return judged
    }
    let worst: Judged | null = null
    for (let at = 0; at < restricting.length; at++) {
      const prepared = restricting[at]!
      const { status, profile } = prepared.decision
      // A tool that hides who it is is not "prohibited": nobody knows it.
      const known = caller.tool !== 'unknown' || !isAboutTool(prepared.decision.subject.kind)
      const judged = one({ status: known ? status : 'unknown', prepared, grace: false }, profile)
      worst = stricter(worst, judged)
      if (worst.kind === 'block' && every === null) return worst
    }
    const base: Candidate =
      approval === null
        ? { status: 'unknown', prepared: null, grace: false }
        : { status: approval.decision.status, prepared: approval, grace: false }
    worst = stricter(worst, one(base, approval?.decision.profile ?? this.#defaultProfile))
    if (announced !== null && (worst.wouldBe === 'allow' || every !== null)) {
      const status = base.status
      const candidate = { status, prepared: announced, grace: true }
      worst = stricter(worst, one(candidate, announced.decision.profile))
    }
    return worst
  }

  #one(asked: AskedOnce, candidate: Candidate, profile: Profile): Judged {
    const key = this.#key(asked.exchange, asked.caller, asked.content, candidate)
    const request = (): Request => this.#request(asked, candidate, useAction)
    // An announcement says only that something will be refused; the others say what passes now.
    const use = candidate.grace ? allowed : this.#answer(key, request, false)
    if (!use.allow || use.errors.length > 0) {
      const kind = use.errors.length > 0 ? 'block' : profileKind[profile]
      return { candidate, profile, kind, wouldBe: 'block', request, answer: use }
    }
    const quietly = (): Request => this.#request(asked, candidate, quietAction)
    const quiet = this.#answer(key, quietly, true)
    if (quiet.allow && quiet.errors.length === 0) {
      return { candidate, profile, kind: 'allow', wouldBe: 'allow', request, answer: use }
    }
    if (quiet.errors.length > 0) {
      return {
        candidate,
        profile,
        kind: 'block',
        wouldBe: 'block',
        request: quietly,
        answer: quiet,
      }
    }
    const kind = profile === 'observe' ? 'allow' : 'warn'
    return { candidate, profile, kind, wouldBe: 'warn', request: quietly, answer: quiet }
  }

  #answer(key: number, request: () => Request, quiet: boolean): Answer {
    // After a mismatch nothing that our own evaluation left behind is used.
    if (this.#mistrusted()) return this.#authorize(request(), quiet)
    const memo = quiet ? this.#quietMemo : this.#useMemo
    if (key < 0) return this.#authorize(request(), quiet)
    return memo.get(key) ?? memo.keep(key, this.#authorize(request(), quiet))
  }

  #request(
    { exchange, caller, content, families, atMs }: AskedOnce,
    candidate: Candidate,
    action: Entity,
  ) {
    return this.#builder.build(exchange, caller, content, families, candidate, atMs, action)
  }
}

type AskedOnce = {
  readonly exchange: Exchange
  readonly caller: Caller
  readonly content: Content
  readonly families: readonly string[]
  readonly atMs: number
}

const allowed: Answer = { allow: true, determining: [], errors: [] }

const profileKind = { enforce: 'block', warn: 'warn', observe: 'allow' } as const

function isAboutTool(kind: string): boolean {
  return kind === 'tool' || kind === 'release' || kind === 'vendor'
}

/** The first stays where both are alike; what would be refused counts before what is only said. */
function stricter(held: Judged | null, next: Judged): Judged {
  if (held === null) return next
  const byKind = rank[next.kind] - rank[held.kind]
  if (byKind !== 0) return byKind > 0 ? next : held
  return rank[next.wouldBe] > rank[held.wouldBe] ? next : held
}

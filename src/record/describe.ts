import { canonicalJson } from '#words/canonical.ts'
import type { Content, Finding } from '#words/content.ts'
import type { Outcome } from '#words/entry.ts'
import type { Caller, Exchange } from '#words/exchange.ts'
import type { Verdict } from '#words/verdict.ts'
import { sha256 } from './hashing.ts'
import type { Item } from './leaf.ts'

/** A public word that a client chose (a model, a release) is cut here, in UTF-16 units. */
const wordMax = 160
const policiesMax = 50
const findingsMax = 64

/**
 * What a verdict leaves in the leaf and what only its opening tells.
 *
 * Public: ids, classes, counts and lengths, from which nobody learns who asked or what. Private:
 * everything that names a person, a machine, a repository or a word of the prompt, also the body's
 * digest, by which a known body could be recognised.
 */
export function describeVerdict(
  exchange: Exchange,
  caller: Caller,
  content: Content,
  verdict: Verdict,
  decisionInput: string,
): Item {
  return {
    kind: 'verdict',
    atMs: exchange.atMs,
    subject: caller.user,
    of: 0,
    publicText: verdictText(exchange, caller, content, verdict),
    // In the order of their names, as the leaf's canonical form wants it.
    sealed: [
      ['body', bodyDigest(exchange.body)],
      ['cedar', decisionInput],
      ['conversation', content.conversation],
      ['credential', caller.credential],
      ['device', caller.device],
      ['groups', caller.groups.join('\n')],
      ['host', exchange.host],
      ['launch', caller.launch],
      ['message', verdict.message],
      ['peer', exchange.peer],
      ['repository', caller.repository],
      ['site', caller.site],
      ['target', exchange.target],
      ['user', caller.user],
      ['userAgent', headerOf(exchange.rawHeaders, 'user-agent')],
    ],
  }
}

export function describeOutcome(
  of: number,
  exchange: string,
  who: { readonly subject: string | null; readonly pseudonym?: string },
  outcome: Outcome,
  atMs: number,
): Item {
  return {
    kind: 'outcome',
    atMs,
    ...who,
    of,
    publicText: outcomeText(exchange, outcome),
    sealed: [],
  }
}

/**
 * The public part in canonical form, its members in rising order: written out, because sorting
 * thirty members for each request costs as much as all hashes of an entry. A test holds it equal
 * to `canonicalJson`.
 */
function verdictText(
  exchange: Exchange,
  caller: Caller,
  content: Content,
  verdict: Verdict,
): string {
  const { coverage } = content
  const { bundle } = verdict
  const because = verdict.because.slice(0, policiesMax).map((reason) => cut(reason.policy))
  const ambiguous =
    content.ambiguous === null ? '' : `"ambiguous":${JSON.stringify(cut(content.ambiguous))},`
  return (
    `{${ambiguous}"because":${JSON.stringify(because)}` +
    `,"bundle":{"ageMs":${bundle.ageMs},"counter":${bundle.counter}` +
    `,"digest":${JSON.stringify(bundle.digest)}}` +
    `,"bytes":${exchange.body.length}` +
    `,"confidence":{"release":"${caller.releaseConfidence}","tool":"${caller.toolConfidence}"}` +
    `,"country":${JSON.stringify(caller.country)}` +
    `,"coverage":{"blocksInspected":${coverage.blocksInspected}` +
    `,"blocksSeen":${coverage.blocksSeen},"bytesInspected":${coverage.bytesInspected}` +
    `,"bytesResumed":${coverage.bytesResumed},"bytesSeen":${coverage.bytesSeen}` +
    `,"ruleSet":${JSON.stringify(coverage.ruleSet)}` +
    `,"skipped":${canonicalJson(coverage.skipped)},"unknownBlocks":${coverage.unknownBlocks}}` +
    `,"credential":"${caller.by}","custody":"${caller.custody}"` +
    `,"decision":${JSON.stringify(verdict.decision)},"door":"${exchange.door}"` +
    `,"exchange":${JSON.stringify(exchange.id)}` +
    `,"findings":${canonicalJson(countFindings(content.findings))}` +
    `,"interactive":"${caller.interactive}","level":"${caller.level}"` +
    `,"model":${JSON.stringify(cut(content.model))}` +
    `,"policies":${JSON.stringify(verdict.policies.slice(0, policiesMax))}` +
    `,"profile":"${verdict.profile}","provider":${JSON.stringify(exchange.provider)}` +
    `,"purpose":"${exchange.purpose}","release":${JSON.stringify(cut(caller.release))}` +
    `,"status":"${verdict.status}","stream":${content.stream}` +
    `,"timeSource":${JSON.stringify(verdict.timeSource)},"tool":${JSON.stringify(caller.tool)}` +
    `,"transport":"${exchange.transport}","verdict":"${verdict.kind}"` +
    `,"wire":"${exchange.wire}","wouldBe":"${verdict.wouldBe}"}`
  )
}

function outcomeText(exchange: string, outcome: Outcome): string {
  const findings = Object.fromEntries(Object.entries(outcome.findings).slice(0, findingsMax))
  return (
    `{"bytesDown":${outcome.bytesDown},"bytesUp":${outcome.bytesUp}` +
    `,"exchange":${JSON.stringify(exchange)},"fault":${JSON.stringify(cut(outcome.fault))}` +
    `,"findings":${canonicalJson(findings)},"firstByteMs":${outcome.firstByteMs}` +
    `,"inputTokens":${outcome.inputTokens},"outputTokens":${outcome.outputTokens}` +
    `,"result":"${outcome.result}","status":${outcome.status}` +
    `,"stopReason":${JSON.stringify(cut(outcome.stopReason))},"totalMs":${outcome.totalMs}}`
  )
}

/** After a crash nobody knows how an exchange ended, and the log says so. */
export const unknownOutcome: Outcome = {
  result: 'unknown',
  status: 0,
  bytesUp: 0,
  bytesDown: 0,
  firstByteMs: -1,
  totalMs: -1,
  inputTokens: -1,
  outputTokens: -1,
  stopReason: '',
  findings: {},
  fault: '',
}

function countFindings(findings: readonly Finding[]) {
  if (findings.length === 0) return []
  const counts = new Map<string, { class: string; rule: string; block: string; count: number }>()
  for (const { class: kind, rule, block, count } of findings) {
    const key = `${kind}/${rule}/${block}`
    const known = counts.get(key)
    if (known) known.count += count
    else counts.set(key, { class: kind, rule, block, count })
  }
  return [...counts.values()]
}

/** One entry in the exchange's opening, so that a body at hand can be matched with it. */
function bodyDigest(body: Buffer): string {
  return sha256(body).toString('base64url')
}

function headerOf(rawHeaders: readonly string[], name: string): string {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) return rawHeaders[at + 1] ?? ''
  }
  return ''
}

function cut(word: string): string {
  return word.length <= wordMax ? word : word.slice(0, wordMax).toWellFormed()
}

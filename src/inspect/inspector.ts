import { createHash } from 'node:crypto'
import type { World } from '#words/clock.ts'
import { noContent } from '#words/content.ts'
import type { Content, Finding } from '#words/content.ts'
import type { Exchange } from '#words/exchange.ts'
import { limits } from '#words/limits.ts'
import { PointerWalk, pointerStep } from '#wire/json-pointer.ts'
import { readShape } from '#wire/shape.ts'
import type { Shape } from '#wire/shape.ts'
import { BodyVisitor } from '#wire/visit.ts'
import { createAnswerReader } from './answer-reader.ts'
import type { AnswerHead, AnswerReader } from './answer-reader.ts'
import type { Detector } from './detector.ts'
import { hiddenUnicode } from './hidden-unicode.ts'
import { KnownResponses } from './known-responses.ts'
import { NoteSink } from './note-sink.ts'
import type { Note } from './note-sink.ts'
import { RetainedBodies } from './retained.ts'
import type { Body } from './retained.ts'

export type Inspector = {
  inspect(exchange: Exchange, callerKey: string): Content
  readAnswer(exchange: Exchange, content: Content, head: AnswerHead): AnswerReader
  readonly ruleSet: string
}

/**
 * Says what is in a request: findings, coverage, and the conversation that it belongs to.
 *
 * Never passes over: what cannot be read as its wire format is walked as plain text and said in
 * `ambiguous`; a throw of a detector is a throw of the inspection. No content leaves this room,
 * only places, classes and counts.
 */
export function createInspector(input: {
  readonly world: World
  readonly detectors?: readonly Detector[]
  readonly retainedBytesMax?: number
}): Inspector {
  const { world } = input
  const detectors = input.detectors ?? [hiddenUnicode]
  const ruleSet = digestOf(detectors)
  const retained = new RetainedBodies(input.retainedBytesMax)
  const known = new KnownResponses()
  const visitor = new BodyVisitor<readonly Note[]>()
  const sink = new NoteSink(detectors)
  const callers = new WeakMap<Content, string>()
  /** Conversations of which only background calls were seen so far. */
  const warmedUp = new Set<string>()

  return {
    ruleSet,

    inspect(exchange, callerKey) {
      const body = exchange.readable
      const { wire } = exchange
      if (wire === 'opaque') return unread(exchange, ruleSet)
      if (body.length === 0) {
        return { ...noContent, coverage: { ...noContent.coverage, ruleSet } }
      }
      const key = conversationKey(exchange, callerKey)
      const found = retained.find(key, body)
      const seen = visitor.visit(wire, body, sink, found?.prior.body ?? null)
      const shape = readShape(wire, seen)
      const before =
        shape.previousResponse === '' ? null : known.find(callerKey, shape.previousResponse)
      const grown = found?.sameConversation === true ? found.prior : null
      const conversation = before ?? grown?.conversation ?? world.randomBytes(16).toString('hex')
      retained.keep(key, seen, conversation, grown)
      const content = contentOf(exchange, seen, shape, {
        ruleSet,
        conversation,
        // Codex warms a socket up before the prompt: nobody read that answer, so nothing began.
        firstTurn: (before === null && grown === null) || warmedUp.delete(conversation),
        contextUnknown: shape.previousResponse !== '' && before === null,
      })
      if (content.background && content.firstTurn) remember(warmedUp, conversation)
      callers.set(content, callerKey)
      return content
    },

    readAnswer(exchange, content, head) {
      return createAnswerReader({
        wire: exchange.wire,
        head,
        detectors,
        onResponse: (id) => known.add(callers.get(content) ?? '', id, content.conversation),
      })
    },
  }
}

/** The oldest goes when there are too many: at worst a person is not warned a second time. */
function remember(conversations: Set<string>, one: string): void {
  conversations.add(one)
  if (conversations.size <= limits.retainedConversationsMax) return
  for (const oldest of conversations) {
    conversations.delete(oldest)
    return
  }
}

function contentOf(
  exchange: Exchange,
  seen: Body,
  shape: Shape,
  told: {
    readonly ruleSet: string
    readonly conversation: string
    readonly firstTurn: boolean
    readonly contextUnknown: boolean
  },
): Content {
  let blocksSeen = 0
  let blocksInspected = 0
  let unknownBlocks = 0
  const skipped: Record<string, number> = {}
  for (const member of seen.members) {
    for (const unit of member.units) {
      blocksSeen += unit.blocksSeen
      blocksInspected += unit.blocksInspected
      unknownBlocks += unit.unknownBlocks
      if (unit.skipped === null) continue
      for (const [reason, count] of Object.entries(unit.skipped)) {
        skipped[reason] = (skipped[reason] ?? 0) + count
      }
    }
  }
  if (told.contextUnknown) skipped['context-not-known'] = 1
  const bytesSeen = exchange.readable.length
  return {
    findings: findingsOf(seen),
    coverage: {
      blocksSeen,
      blocksInspected,
      bytesSeen,
      bytesInspected: bytesSeen - seen.bytesOpaque,
      skipped,
      unknownBlocks,
      bytesResumed: seen.bytesResumed,
      ruleSet: told.ruleSet,
    },
    model: shape.model,
    stream: shape.stream,
    conversation: told.conversation,
    firstTurn: told.firstTurn,
    structured: shape.structured,
    background:
      shape.background || exchange.purpose !== 'inference' || isSmallCall(exchange, shape),
    ambiguous: seen.broken ?? seen.ambiguous,
  }
}

/** Codex sends a small request without tools beside each turn of its screen, for a title. */
function isSmallCall(exchange: Exchange, shape: Shape): boolean {
  if (shape.hasTools || exchange.wire !== 'openai-responses') return false
  return /^codex/i.test(headerOf(exchange.rawHeaders, 'user-agent'))
}

function findingsOf(seen: Body): readonly Finding[] {
  const findings: Finding[] = []
  for (const member of seen.members) {
    for (let at = 0; at < member.units.length; at++) {
      const notes = member.units[at]?.notes
      if (notes === null || notes === undefined) continue
      const start = member.starts[at] as number
      const base = `${pointerStep(member.name)}${member.isList ? `/${at}` : ''}`
      const isKey = start < member.keyEnd
      const walk = new PointerWalk(seen.body, start)
      for (const note of notes) {
        if (findings.length >= limits.findingsPerExchangeMax) return findings
        const inside = isKey ? '' : walk.to(start + note.string)
        findings.push({
          class: note.class,
          rule: note.rule,
          block: note.block,
          place: member.keyStart === member.end || member.name === '' ? '' : base + inside,
          start: start + note.start,
          end: start + note.end,
          count: note.count,
          confidence: note.confidence,
        })
      }
    }
  }
  return findings
}

function unread(exchange: Exchange, ruleSet: string): Content {
  const bytesSeen = exchange.readable.length
  const skipped: Record<string, number> = bytesSeen === 0 ? {} : { 'opaque-endpoint': 1 }
  const blocksSeen = bytesSeen === 0 ? 0 : 1
  return {
    ...noContent,
    coverage: { ...noContent.coverage, blocksSeen, bytesSeen, skipped, ruleSet },
  }
}

/** Headers by which tools name a session. A lie costs its sender the head start, nothing else. */
const sessionHeaders = [
  'x-claude-code-session-id',
  'session_id',
  'session-id',
  'conversation_id',
  'x-session-id',
]

function conversationKey(exchange: Exchange, callerKey: string): string {
  let key = `${callerKey}\n${exchange.wire}`
  for (const name of sessionHeaders) {
    const value = headerOf(exchange.rawHeaders, name)
    if (value !== '') key += `\n${value.slice(0, 128)}`
  }
  return key
}

function headerOf(rawHeaders: readonly string[], name: string): string {
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const found = rawHeaders[at] as string
    if (found.length === name.length && found.toLowerCase() === name) {
      return rawHeaders[at + 1] as string
    }
  }
  return ''
}

/** Which rules looked: a verdict can be compared only with one of the same rules. */
function digestOf(detectors: readonly Detector[]): string {
  const text = detectors.map(({ id, version }) => `${id}@${version}`).join('\n')
  return createHash('sha256').update(text).digest('hex')
}

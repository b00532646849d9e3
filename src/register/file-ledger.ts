import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { open, readFile, truncate } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder, syncFolder, writeDurably } from '#blob/durable.ts'
import { canonicalJson } from '#words/canonical.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft, PublicValue } from '#words/entry.ts'
import { Fault } from '#words/faults.ts'
import type { UserId } from '#words/ids.ts'
import type { Ledger, LedgerLine, RegisterEvent } from './events.ts'

const eventInOpeningBytesMax = 16 * 1024
const lineBytesMax = 64 * 1024 * 1024

export type FileLedger = Ledger & AsyncDisposable

/**
 * The ledger as one file of JSON lines, each with the digest of the line before it.
 *
 * A change takes effect only when its line is on disk and its digest is in the log (`note`). A
 * process that dies between the two leaves a line that the log does not know: the next start hands
 * it to the log before anything else. A torn last line is cut; any other damage is `log-invalid`,
 * because somebody changed history.
 *
 * The file holds names of people, so its mode is 0600. One process at a time: the caller has the
 * home's lock.
 */
export async function openFileLedger(input: {
  readonly world: World
  /** Folder of `ledger.jsonl`. */
  readonly dir: string
  /**
   * Resolves when the entry is durable in the log. `later`: control is down, and so nothing takes
   * effect; its next start hands the lines to the log first.
   */
  readonly note: ((draft: EntryDraft) => Promise<unknown>) | 'later'
}): Promise<FileLedger> {
  const { note } = input
  const path = join(input.dir, 'ledger.jsonl')
  const notedPath = join(input.dir, 'ledger.noted')
  await makeFolder(dirname(path))
  const lines = await readLines(path)
  let previous = lines.at(-1)?.entry ?? ''
  let count = lines.length

  const noted = await readNoted(notedPath, lines)
  for (const [at, line] of lines.entries()) {
    if (at < noted || note === 'later') continue
    await note(draftOf(line, at, lines[at - 1]?.entry ?? ''))
    await writeDurably(notedPath, `${at + 1} ${line.entry}\n`)
  }
  const file = await open(path, 'a', 0o600)
  await syncFolder(input.dir)
  let queue: Promise<unknown> = Promise.resolve()

  async function append(event: RegisterEvent): Promise<LedgerLine> {
    // The log's order is by transaction time, also when the clock steps back.
    const knownAtMs = Math.max(input.world.nowMs(), lines.at(-1)?.knownAtMs ?? 0)
    const entry = digestLine(count, knownAtMs, previous, event)
    const line = { event, knownAtMs, entry }
    await writeLine(file, canonicalJson({ n: count, knownAtMs, previous, event, digest: entry }))
    if (note !== 'later') {
      await note(draftOf(line, count, previous))
      await writeDurably(notedPath, `${count + 1} ${entry}\n`)
    }
    lines.push(line)
    previous = entry
    count += 1
    return line
  }

  return {
    append(event) {
      const turn = queue.then(() => append(event))
      // After a failed write nobody knows what is in the file: only a new start may go on.
      queue = turn
      queue.catch(() => undefined)
      return turn
    },
    async *list() {
      for (let at = 0; at < lines.length; at += 1) yield lines[at] as LedgerLine
    },
    async [Symbol.asyncDispose]() {
      await queue.catch(() => undefined)
      await file.close()
    },
  }
}

/** A leaf tells what kind of change it was and its digest; who is concerned is in the opening. */
function draftOf(line: LedgerLine, n: number, previous: string): EntryDraft {
  const { event } = line
  const text = canonicalJson(event)
  const open: Record<string, PublicValue> = {
    change: event.kind,
    line: n,
    digest: line.entry,
    previous,
  }
  if (event.kind === 'decision-set') {
    const { decision, approval } = event
    open['decision'] = decision.id
    open['revision'] = decision.revision ?? 0
    open['status'] = decision.status
    open['subject'] = decision.subject.kind
    open['withdrawn'] = decision.withdrawnAtMs !== undefined
    open['approvers'] = approval?.signatures.map((one) => one.keyId) ?? []
  }
  if (event.kind === 'ground-set') open['revision'] = event.ground.revision ?? 0
  return {
    kind: 'register',
    atMs: line.knownAtMs,
    subject: subjectOf(event),
    public: open,
    private: Buffer.byteLength(text) <= eventInOpeningBytesMax ? { event: text } : {},
  }
}

function subjectOf(event: RegisterEvent): UserId | null {
  switch (event.kind) {
    case 'token-issued':
      return event.token.user
    case 'device-enrolled':
      return event.device.user
    case 'user-revoked':
    case 'user-restored':
      return event.id
    default:
      return null
  }
}

function digestLine(n: number, knownAtMs: number, previous: string, event: RegisterEvent): string {
  return createHash('sha256').update(canonicalJson({ n, knownAtMs, previous, event })).digest('hex')
}

async function writeLine(file: FileHandle, text: string): Promise<void> {
  if (Buffer.byteLength(text) > lineBytesMax) {
    throw new Fault('register-invalid', {
      outward: `One change has more than ${lineBytesMax} bytes; split it.`,
    })
  }
  await file.appendFile(`${text}\n`)
  await file.sync()
}

async function readLines(path: string): Promise<LedgerLine[]> {
  if (!existsSync(path)) return []
  const bytes = await readFile(path)
  const end = bytes.lastIndexOf(0x0a) + 1
  if (end < bytes.length) await truncate(path, end)
  const lines: LedgerLine[] = []
  let previous = ''
  for (const text of bytes.subarray(0, end).toString('utf8').split('\n')) {
    if (text === '') continue
    const line = readLine(text, lines.length, previous)
    if (line === null || line.knownAtMs < (lines.at(-1)?.knownAtMs ?? 0)) {
      throw new Fault('log-invalid', {
        outward: `${path}:${lines.length + 1}: the line is not the one that was written; the register's history was changed.`,
      })
    }
    lines.push(line)
    previous = line.entry
  }
  return lines
}

function readLine(text: string, n: number, previous: string): LedgerLine | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  const line = value as {
    n?: unknown
    knownAtMs?: unknown
    previous?: unknown
    digest?: unknown
    event?: RegisterEvent
  }
  if (line.n !== n || line.previous !== previous || typeof line.knownAtMs !== 'number') return null
  if (line.event === undefined || typeof line.digest !== 'string') return null
  if (digestLine(n, line.knownAtMs, previous, line.event) !== line.digest) return null
  return { event: line.event, knownAtMs: line.knownAtMs, entry: line.digest }
}

/** How many lines the log knows. A file that names another history is damage, not "none". */
async function readNoted(path: string, lines: readonly LedgerLine[]): Promise<number> {
  if (!existsSync(path)) return 0
  const [text = '', digest = ''] = (await readFile(path, 'utf8')).trim().split(' ')
  const noted = Number(text)
  if (!Number.isSafeInteger(noted) || noted < 0 || lines[noted - 1]?.entry !== digest) {
    throw new Fault('log-invalid', {
      outward: `${path} speaks of a line that the ledger does not hold; the end of it is missing.`,
    })
  }
  return noted
}

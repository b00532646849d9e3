import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { LogSource } from '#record/log-source.ts'
import type { VerifierKey } from '#record/note.ts'
import { instantText } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'

type Common = {
  readonly home: string
  readonly log?: string
  readonly key?: string
  readonly token?: string
  readonly json?: boolean
}

/** `postern log …`: reads and checks the log; needs no other part of Postern to be running. */
export function registerLog(program: Command): void {
  const log = program.command('log').description('read and verify the log')

  common(log.command('list'))
    .description('the latest entries, newest last')
    .option('--count <n>', 'how many', '20')
    .option('--kind <kind>', 'only this kind: verdict, outcome, register, …')
    .action(list)

  common(log.command('show'))
    .description('one entry as it stands in the log')
    .argument('<index>', 'position in the log, from 0')
    .action(async (index: string, options: Common) => {
      const { source, head } = await openLog(options)
      const entry = await entryAt(source, head.size, wholeNumber(index))
      say(JSON.stringify(JSON.parse(entry.toString()), null, options.json === true ? 0 : 2))
    })

  common(log.command('proof'))
    .description('a .tlog-proof file: one entry, to be checked without the log')
    .argument('<index>', 'position in the log, from 0')
    .option('--out <file>', 'by default entry-<index>.tlog-proof')
    .action(async (index: string, options: Common & { readonly out?: string }) => {
      const { makeProofFile } = await import('#record/proof-file.ts')
      const { source, head } = await openLog(options)
      const at = wholeNumber(index)
      const entry = await entryAt(source, head.size, at)
      const text = await makeProofFile({
        source,
        checkpoint: head.source,
        size: head.size,
        index: at,
        entry,
      })
      const file = options.out ?? `entry-${at}.tlog-proof`
      await writeFile(file, text)
      say(options.json === true ? JSON.stringify({ file }) : `wrote ${file}`)
    })

  common(log.command('verify'))
    .description('check the whole log; exit code 1 when anything is wrong')
    .option('--since <file>', 'a checkpoint kept from before: the log must have grown out of it')
    .option('--receipts', 'check that every entry of a gate was signed by that gate')
    .option('--witness <key...>', 'keys of witnesses, <name>+<id>+<key>')
    .action(verify)
}

function common(command: Command): Command {
  return command
    .option('--home <dir>', 'where Postern keeps its files', '.postern')
    .option('--log <place>', 'folder or address of the log; by default <home>/log')
    .option('--key <key>', 'the key of the log, as its owner gave it to you')
    .option('--token <token>', 'for a log that is served over HTTP')
    .option('--json', 'print JSON')
}

type ListOptions = Common & { readonly count: string; readonly kind?: string }

async function list(options: ListOptions): Promise<void> {
  const { source, head } = await openLog(options)
  const { readBundle, readTile, tileWidth, widthAt } = await import('#record/tiles.ts')
  const wanted = Math.min(wholeNumber(options.count), 10_000)
  const found: string[] = []
  for (let at = Math.ceil(head.size / tileWidth) - 1; at >= 0 && found.length < wanted; at--) {
    const width = widthAt(0, at, head.size)
    const entries = readBundle(await readTile(source, 'entries', at, width), width)
    for (let i = entries.length - 1; i >= 0 && found.length < wanted; i--) {
      const text = entries[i]?.toString() ?? ''
      const leaf = JSON.parse(text) as Leaf
      if (options.kind !== undefined && leaf.kind !== options.kind) continue
      const index = at * tileWidth + i
      found.push(options.json === true ? `{"index":${index},"entry":${text}}` : line(index, leaf))
    }
  }
  for (const row of found.reverse()) say(row)
}

type Leaf = {
  readonly at: number
  readonly counter: number
  readonly kind: string
  readonly node: string
  readonly public: Readonly<Record<string, unknown>>
}

function line(index: number, leaf: Leaf): string {
  const shown = leaf.public
  const words = [
    shown['verdict'],
    shown['tool'],
    shown['result'],
    shown['event'],
    shown['decision'],
  ]
  return [
    String(index).padStart(8),
    instantText(leaf.at),
    leaf.kind.padEnd(10),
    `${leaf.node}#${leaf.counter}`.padEnd(20),
    words.filter((word) => typeof word === 'string').join(' '),
  ].join('  ')
}

type VerifyCommand = Common & {
  readonly since?: string
  readonly receipts?: boolean
  readonly witness?: readonly string[]
}

async function verify(options: VerifyCommand): Promise<void> {
  const { verifyLog } = await import('#record/verify.ts')
  const { parseVerifierKey } = await import('#record/note.ts')
  const { key, from } = await logKey(options)
  const report = await verifyLog(placeOf(options), {
    logKey: key,
    witnessKeys: (options.witness ?? []).map(parseVerifierKey),
    receipts: options.receipts === true,
    headers: headersOf(options),
    ...(options.since === undefined ? {} : { since: await readFile(options.since, 'utf8') }),
  })
  if (!report.holds) process.exitCode = 1
  if (options.json === true) return say(JSON.stringify({ ...report, key: from }))
  for (const problem of report.problems) say(`wrong: ${problem}`)
  for (const note of report.notes) say(note)
  if (report.receipts !== null) say(`${report.receipts} receipts of ${report.nodes} nodes checked.`)
  if (report.since !== null) say(`It has grown out of the ${report.since} entries of before.`)
  if (from === 'log') say('The key came with the log itself; with --key it is the one you know.')
  const head = `${report.entries} entries, checkpoint ${report.root}`
  say(report.holds ? `log verified: ${head}` : `LOG DOES NOT VERIFY: ${head}`)
}

function placeOf(options: Common): string {
  return options.log ?? join(options.home, 'log')
}

function headersOf(options: Common): Record<string, string> {
  return options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }
}

async function sourceOf(options: Common): Promise<LogSource> {
  const { logSource } = await import('#record/log-source.ts')
  return logSource(placeOf(options), headersOf(options))
}

async function logKey(options: Common): Promise<{ key: VerifierKey; from: 'given' | 'log' }> {
  const { parseVerifierKey } = await import('#record/note.ts')
  if (options.key !== undefined) return { key: parseVerifierKey(options.key), from: 'given' }
  const bytes = await (await sourceOf(options)).read('log.vkey')
  if (!bytes) {
    throw new Fault('log-unreachable', { outward: `There is no log at ${placeOf(options)}.` })
  }
  return { key: parseVerifierKey(bytes.toString()), from: 'log' }
}

async function openLog(options: Common) {
  const { openCheckpoint } = await import('#record/checkpoint.ts')
  const source = await sourceOf(options)
  const { key } = await logKey(options)
  const bytes = await source.read('checkpoint')
  if (!bytes) throw new Fault('log-unreachable', { outward: 'The log has no checkpoint.' })
  return { source, head: openCheckpoint(bytes.toString(), key) }
}

async function entryAt(source: LogSource, size: number, index: number): Promise<Buffer> {
  const { readBundle, readTile, tileWidth, widthAt } = await import('#record/tiles.ts')
  if (index >= size) {
    throw new Fault('not-found', { outward: `The log has ${size} entries, numbered from 0.` })
  }
  const at = Math.floor(index / tileWidth)
  const width = widthAt(0, at, size)
  const entries = readBundle(await readTile(source, 'entries', at, width), width)
  return entries[index % tileWidth] as Buffer
}

function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Fault('usage', { outward: `Not a number: ${text}` })
  return Number(text)
}

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

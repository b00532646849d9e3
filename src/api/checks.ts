import { execFile } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statfsSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { getCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { openBundle } from '#decide/bundle.ts'
import { parseVerifierKey, ed25519FromRaw, verifierKeyText } from '#record/note.ts'
import { openCheckpoint } from '#record/checkpoint.ts'
import { folderSource } from '#record/log-source.ts'
import { emptyRoot } from '#record/hashing.ts'
import { tileNodes } from '#record/tiles.ts'
import { rootOf } from '#record/tree.ts'
import { loadConfig } from '#register/config-file.ts'
import { lockHolder } from '#store/lock.ts'
import type { World } from '#words/clock.ts'
import { isFault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { askControl } from './control-client.ts'
import { homePaths, readRoot } from './home.ts'
import { keyFileComplaint, openControlKeys } from './key-files.ts'

export type Check = {
  readonly name: string
  readonly result: 'ok' | 'warn' | 'fail' | 'not run'
  readonly words: string
  /** What to do about it; empty when it is well. */
  readonly advice: string
}

type Answer = Omit<Check, 'name'>
const ok = (words: string): Answer => ({ result: 'ok', words, advice: '' })
const warn = (words: string, advice: string): Answer => ({ result: 'warn', words, advice })
const fail = (words: string, advice: string): Answer => ({ result: 'fail', words, advice })
const notRun = (words: string, advice = ''): Answer => ({ result: 'not run', words, advice })

/**
 * Looks at a home and the machine below it; changes nothing, prints no key.
 *
 * A check that breaks is a failed check with its fault's words: none stops the others.
 */
export async function checkHome(home: string, world: World): Promise<Check[]> {
  const checks: readonly (readonly [string, () => Answer | Promise<Answer>])[] = [
    ['node', () => checkNode()],
    ['config', () => checkConfig(home)],
    ['keys', () => checkKeys(home)],
    ['ca', () => checkCa(home, world)],
    ...(['node', 'openssl', 'git', 'curl'] as const).map(
      (program) => [`trust ${program}`, () => checkTrust(home, program)] as const,
    ),
    ['clock', () => checkClock(home, world)],
    ['disk', () => checkDisk(home)],
    ['ports', () => checkPorts(home)],
    ['bundle', () => checkBundle(home, world)],
    ['log', () => checkLog(home)],
    ['store', () => checkStore(home)],
  ]
  const done: Check[] = []
  for (const [name, run] of checks) {
    try {
      done.push({ name, ...(await run()) })
    } catch (error) {
      const known = isFault(error)
      done.push({
        name,
        ...fail(
          known ? error.outward : `the check broke: ${error instanceof Error ? error.name : '?'}`,
          known ? error.advice : 'Report this with the output of `postern doctor --json`.',
        ),
      })
    }
  }
  return done
}

function checkNode(): Answer {
  const [major = 0] = process.versions.node.split('.').map(Number)
  const words = `Node ${process.versions.node}, OpenSSL ${process.versions.openssl}`
  return major >= 24 ? ok(words) : fail(words, 'Use Node 24 or newer.')
}

function checkConfig(home: string): Answer {
  loadConfig(home)
  const file = join(home, 'postern.yaml')
  return ok(existsSync(file) ? file : 'embedded defaults')
}

function checkKeys(home: string): Answer {
  const { keys: folder } = homePaths(home)
  const root = readRoot(home)
  const keys = openControlKeys(folder)
  if (!root.bundleKeys.some((key) => key.keyId === keys.bundle.keyId)) {
    return fail('the bundle key is not in root.json', 'Restore the key that root.json names.')
  }
  if (!root.logKeys.some((key) => key.keyId === keys.log.keyId)) {
    return fail('the log key is not in root.json', 'Restore the key that root.json names.')
  }
  const mode = statSync(folder).mode & 0o077
  if (mode !== 0) return fail(`others may enter ${folder}`, `Run: chmod 700 ${folder}`)
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.key'))) {
    const complaint = keyFileComplaint(join(folder, name))
    if (complaint !== null) return fail(`${name}: ${complaint}`, `Run: chmod 600 ${folder}/*.key`)
  }
  const sample = root.approvers.some((one) => one.name === 'sample-approver')
  if (sample) {
    return warn(
      'there; the sample approver can loosen anything from this machine',
      'For real use make a home without --sample, with approvers who keep their own keys.',
    )
  }
  return ok(`there, mode 600, as root.json says (bundle ${keys.bundle.keyId})`)
}

function checkCa(home: string, world: World): Answer {
  const { ca } = homePaths(home)
  const file = join(ca, 'ca.pem')
  if (!existsSync(file)) return notRun('no CA yet', 'It is made when the gate starts.')
  const complaint = keyFileComplaint(join(ca, 'ca.key'))
  if (complaint !== null) return fail(`ca.key: ${complaint}`, `Run: chmod 600 ${ca}/ca.key`)
  const certificate = new X509Certificate(readFileSync(file))
  if (!certificate.raw.includes(nameConstraints)) {
    return fail('the CA has no name constraints', 'Remove the folder ca/ and start the gate again.')
  }
  const left = certificate.validToDate.getTime() - world.nowMs()
  if (left <= 0)
    return fail('the CA has expired', 'Remove the folder ca/ and start the gate again.')
  const days = Math.floor(left / 86_400_000)
  const words = `constrained by name, valid for ${days} more days`
  return days < 30 ? warn(words, 'Make a new CA before it ends.') : ok(words)
}

/** DER of the object identifier 2.5.29.30 (RFC 5280, 4.2.1.10). */
const nameConstraints = Buffer.from('0603551d1e', 'hex')
const systemStore = '/etc/ssl/certs/ca-certificates.crt'

async function checkTrust(
  home: string,
  program: 'node' | 'openssl' | 'git' | 'curl',
): Promise<Answer> {
  const file = join(homePaths(home).ca, 'ca.pem')
  if (!existsSync(file)) return notRun('no CA yet')
  const wanted = new X509Certificate(readFileSync(file)).fingerprint256
  const advice = {
    node: `Set NODE_EXTRA_CA_CERTS=${file} for the tool.`,
    openssl: `Set SSL_CERT_FILE for the tool, or add ${file} to the system's store.`,
    git: `Set GIT_SSL_CAINFO for the tool, or add ${file} to the system's store.`,
    curl: `Set CURL_CA_BUNDLE for the tool, or add ${file} to the system's store.`,
  }[program]
  if (program === 'node') {
    const trusted = getCACertificates('default').some(
      (pem) => new X509Certificate(pem).fingerprint256 === wanted,
    )
    return trusted ? ok('trusts the CA, from this environment') : warn('does not trust it', advice)
  }
  const run = promisify(execFile)
  const version = program === 'openssl' ? ['version'] : ['--version']
  const there = await run(program, version, { timeout: 5_000 }).catch(() => null)
  if (there === null) return notRun(`${program} is not installed`)
  const variable = { openssl: 'SSL_CERT_FILE', git: 'GIT_SSL_CAINFO', curl: 'CURL_CA_BUNDLE' }[
    program
  ]
  let store = process.env[variable] ?? systemStore
  if (program === 'git' && process.env[variable] === undefined) {
    const asked = await run('git', ['config', '--get', 'http.sslCAInfo'], { timeout: 5_000 }).catch(
      () => null,
    )
    store = asked?.stdout.trim() || systemStore
  }
  if (!existsSync(store)) return warn(`its store ${store} is not there`, advice)
  const blocks = readFileSync(store, 'utf8').match(
    /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g,
  )
  const trusted = (blocks ?? []).some((pem) => fingerprint(pem) === wanted)
  return trusted ? ok(`trusts the CA, by ${store}`) : warn(`does not trust it (${store})`, advice)
}

function fingerprint(pem: string): string {
  try {
    return new X509Certificate(pem).fingerprint256
  } catch {
    // One damaged certificate among a system's hundreds is no concern of ours.
    return ''
  }
}

function checkClock(home: string, world: World): Answer {
  const bundle = readBundle(home)
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  const now = world.nowMs()
  if (bundle === null) return ok(`${new Date(now).toISOString()} (${timeZone})`)
  const behind = bundle.manifest.issuedAtMs - now
  if (behind > limits.clockBackMsMax) {
    return fail(
      `the clock is ${Math.round(behind / 1_000)} s behind the newest bundle`,
      'Set the clock right; until then gates refuse.',
    )
  }
  return ok(`${new Date(now).toISOString()} (${timeZone}), not behind what was seen`)
}

function checkDisk(home: string): Answer {
  const { bavail, bsize } = statfsSync(home)
  const free = bavail * bsize
  const words = `${(free / 2 ** 30).toFixed(1)} GiB free at ${home}`
  if (free < 256 * 2 ** 20) return fail(words, 'Free space: gates refuse when the spool is full.')
  if (free < limits.spoolBytesMax) {
    return warn(words, 'The spool may grow to 4 GiB while control is away.')
  }
  return ok(words)
}

async function checkPorts(home: string): Promise<Answer> {
  const config = loadConfig(home)
  const { controlLock } = homePaths(home)
  const holder = lockHolder(controlLock)
  const ports = [
    ['base-URL door', config.listen.host, config.listen.baseUrlPort],
    ['TLS door', config.listen.host, config.listen.tlsPort],
    ['status page', config.control.host, config.control.port],
  ] as const
  const busy: string[] = []
  for (const [name, host, port] of ports) {
    if (port !== 0 && (await answers(host, port))) busy.push(`${name} ${port}`)
  }
  if (busy.length === 0) return ok('free')
  if (holder !== null) return ok(`in use: ${busy.join(', ')}; this home's control is pid ${holder}`)
  return warn(
    `in use, and not by this home's control: ${busy.join(', ')}`,
    'Stop the other process or set other ports in postern.yaml.',
  )
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1_000 })
    const say = (is: boolean) => () => {
      socket.destroy()
      resolve(is)
    }
    socket.once('connect', say(true))
    socket.once('error', say(false))
    socket.once('timeout', say(false))
  })
}

function readBundle(home: string) {
  const { bundle } = homePaths(home)
  return existsSync(bundle) ? openBundle(readFileSync(bundle, 'utf8'), readRoot(home)) : null
}

function checkBundle(home: string, world: World): Answer {
  const bundle = readBundle(home)
  if (bundle === null) return warn('none yet', 'Run `postern register apply`.')
  const { counter, issuedAtMs, validUntilMs } = bundle.manifest
  const hours = (ms: number) => `${(ms / 3_600_000).toFixed(1)} h`
  const now = world.nowMs()
  const words = `№ ${counter}, ${hours(now - issuedAtMs)} old, valid for ${hours(validUntilMs - now)}`
  if (validUntilMs <= now) return fail(words, 'Start control: it issues a new one.')
  if (now > (issuedAtMs + validUntilMs) / 2) return warn(words, 'Is control running?')
  return ok(words)
}

/** The last checkpoint alone: its signature, and that the tiles lead to its root. */
async function checkLog(home: string): Promise<Answer> {
  const root = readRoot(home)
  const source = folderSource(homePaths(home).log)
  const text = (await source.read('checkpoint'))?.toString('utf8')
  if (text === undefined) return notRun('no log yet', 'Control starts it.')
  const [key] = root.logKeys
  if (key === undefined) return fail('root.json names no log key', 'Restore root.json.')
  const verifier = parseVerifierKey(
    verifierKeyText(root.origin, ed25519FromRaw(Buffer.from(key.publicKey, 'base64'))),
  )
  const { size, root: claimed, note } = openCheckpoint(text, verifier)
  const found = size === 0 ? emptyRoot : await rootOf(tileNodes(source, size), size)
  if (!found.equals(claimed)) {
    return fail('the tiles do not lead to the signed root', 'Run `postern log verify`.')
  }
  const witnesses = note.lines.length - 1
  const words = `${size} entries; checkpoint signed, tiles lead to it`
  return witnesses > 0
    ? ok(`${words}; ${witnesses} witness${witnesses > 1 ? 'es' : ''}`)
    : warn(`${words}; no witness`, 'Run `postern witness` on a machine of another owner.')
}

async function checkStore(home: string): Promise<Answer> {
  try {
    const { store } = await askControl<{ store: { state: string; lag: number } }>(
      home,
      'GET',
      '/v1/status',
    )
    if (store.state === 'failed') return warn('down', 'Run `postern store rebuild`.')
    return ok(`${store.state}${store.lag > 0 ? `, ${store.lag} entries behind` : ''}`)
  } catch (error) {
    if (!isFault(error, 'control-unreachable')) throw error
    return notRun('control is down', 'Start it with `postern up`.')
  }
}

import { generateKeyPairSync } from 'node:crypto'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { checkSuccession, openBundle } from '#decide/bundle.ts'
import { keyIdOf, publicKeyText } from '#decide/keys.ts'
import type { RootFile } from '#words/bundle.ts'
import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import { readApproverKey, signShown } from './approvals.ts'
import { compileBundle } from './compile-bundle.ts'
import { openRegister } from './open.ts'
import { parseInstant } from './when.ts'
import { RegisterService } from './service.ts'
import { applyAsSample, writeStarter } from './starter.ts'

const policy = '@id("all")\npermit(principal, action, resource);\n'
const startMs = Date.parse('2026-11-23T12:00:00Z')

let home = ''
let nowMs = startMs
let noted: EntryDraft[] = []
let root: RootFile
let bundleKey: { keyId: string; privateKey: ReturnType<typeof makePair>['privateKey'] }
const world: World = {
  nowMs: () => nowMs,
  monotonicMs: () => nowMs,
  randomBytes: (length) => Buffer.alloc(length, (nowMs / 1000) & 0xff),
}

function makePair() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const text = publicKeyText(publicKey)
  return { privateKey, publicKey: text, keyId: keyIdOf(text) }
}

function writeApprover(name: string): { path: string; keyId: string; publicKey: string } {
  const pair = makePair()
  const path = join(home, `${name}.key`)
  writeFileSync(path, pair.privateKey.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600 })
  return { path, keyId: pair.keyId, publicKey: pair.publicKey }
}

let approver: ReturnType<typeof writeApprover>
let second: ReturnType<typeof writeApprover>

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'postern-register-'))
  nowMs = startMs
  noted = []
  approver = writeApprover('one')
  second = writeApprover('two')
  const bundle = makePair()
  bundleKey = bundle
  root = {
    format: 'postern-root/1',
    version: 1,
    origin: 'example.com/log',
    bundleKeys: [{ keyId: bundle.keyId, publicKey: bundle.publicKey }],
    logKeys: [],
    approvers: [{ keyId: approver.keyId, publicKey: approver.publicKey, name: 'one' }],
    threshold: 1,
  }
  writeFileSync(join(home, 'postern.yaml'), 'policiesDir: policies\n')
  writePolicies()
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function writePolicies(): void {
  const dir = join(home, 'policies')
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir)
  writeFileSync(join(dir, 'all.cedar'), policy)
  writeFileSync(join(dir, 'postern.cedarschema'), 'entity User;\n')
}

async function open() {
  return await openRegister({
    home,
    world,
    root,
    note: (draft) => {
      noted.push(draft)
      return Promise.resolve()
    },
  })
}

function decisionsFile(text: string): void {
  writeFileSync(join(home, 'register', 'more.yaml'), text)
}

function faultOf(act: () => unknown): string {
  try {
    act()
  } catch (fault) {
    return (fault as Error).message.replaceAll(`${home}/`, '')
  }
  return 'no fault'
}

let counter = 0
function bundleOf(service: RegisterService) {
  counter += 1
  const sealed = compileBundle(service.state(), {
    origin: root.origin,
    counter,
    issuedAtMs: nowMs,
    validUntilMs: nowMs + 1_000_000,
    key: bundleKey,
  })
  return openBundle(JSON.stringify(sealed), root)
}

test('the starter is written once, signed, applied, and gates take its bundle', async () => {
  expect(await writeStarter(join(home, 'register'), world)).toBe(true)
  expect(await writeStarter(join(home, 'register'), world)).toBe(false)
  await using register = await open()
  const { service } = register
  expect(await applyAsSample(service, approver.path)).toBe(8)
  expect(await applyAsSample(service, approver.path)).toBe(0)
  expect(service.plan().changes).toEqual([])
  expect(service.list().map((one) => [one.id, one.phase])).toEqual([
    ['dec-claude-code-ban', 'in force'],
    ['dec-claude-code-early', 'over'],
    ['dec-codex', 'in force'],
    ['dec-codex-ban', 'announced'],
    ['dec-opencode', 'in force'],
    ['dec-qwen-code', 'in force'],
  ])
  expect(() => checkSuccession(null, bundleOf(service), root)).not.toThrow()
  expect(service.unsupported()).toEqual([])
})

test('nothing that loosens is written without signatures, and then nothing at all', async () => {
  await writeStarter(join(home, 'register'), world)
  await using register = await open()
  await expect(register.service.apply()).rejects.toMatchObject({
    code: 'bundle-unsigned-loosening',
  })
  expect(noted).toEqual([])
  expect(() => register.service.compile()).toThrow(/empty/)
})

test('two of three: one signature, twice, is one', async () => {
  root = {
    ...root,
    threshold: 2,
    approvers: [...root.approvers, { ...second, name: 'two' }],
  }
  await writeStarter(join(home, 'register'), world)
  await using register = await open()
  const { service } = register
  const plan = service.plan()
  const one = readApproverKey(approver.path)
  for (const what of plan.toSign) {
    await service.takeApproval(signShown(what, one))
    await service.takeApproval(signShown(what, one))
  }
  expect(service.signatures(plan).every((row) => !row.holds && row.signers.length === 1)).toBe(true)
  await expect(service.apply()).rejects.toThrow(/1 of 2 signatures/)
  const two = readApproverKey(second.path)
  for (const what of plan.toSign) await service.takeApproval(signShown(what, two))
  expect((await service.apply({ expectDigest: plan.digest })).changes).toBe(8)
})

test('what is shown is what is signed', async () => {
  await writeStarter(join(home, 'register'), world)
  await using register = await open()
  const what = register.service.plan().toSign.find((one) => one.about.startsWith('decision'))
  const key = readApproverKey(approver.path)
  if (what === undefined) throw new Error('the starter has approvals')
  expect(() => signShown({ ...what, shown: `${what.shown} for the best` }, key)).toThrow(
    /nothing was signed/,
  )
})

test('a ban needs nobody, its withdrawal does, and withdrawing an approval needs nobody', async () => {
  await writeStarter(join(home, 'register'), world)
  await using register = await open()
  const { service } = register
  await applyAsSample(service, approver.path)
  const before = bundleOf(service)
  decisionsFile(`decisions:
  - id: dec-gemini-ban
    subject: { tool: gemini-cli }
    status: prohibited
    effectiveFrom: 2026-12-01
    rationale: not reviewed
    owner: security
`)
  expect(service.plan().warnings).toEqual([
    'dec-gemini-ban names no alternative; people will look for their own',
  ])
  expect((await service.apply()).changes).toBe(1)
  const after = bundleOf(service)
  expect(() => checkSuccession(before, after, root)).not.toThrow()

  decisionsFile(
    readFileSync(join(home, 'register', 'more.yaml'), 'utf8').concat(
      '    withdrawn: 2026-11-24T00:00:00Z\n',
    ),
  )
  await expect(service.apply()).rejects.toThrow(/dec-gemini-ban: 0 of 1/)
  await applyAsSample(service, approver.path)
  const lifted = bundleOf(service)
  expect(() => checkSuccession(after, lifted, root)).not.toThrow()

  const path = join(home, 'register', 'decisions.yaml')
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace(
      'id: dec-qwen-code\n',
      'id: dec-qwen-code\n    withdrawn: 2026-11-23T12:00:00Z\n',
    ),
  )
  // Two older bans lose one of their alternatives; the other one still stands.
  expect((await service.apply()).changes).toBe(1)
  expect(() => checkSuccession(lifted, bundleOf(service), root)).not.toThrow()
})

test('a decision that is gone from the files is named; it must be withdrawn', async () => {
  await writeStarter(join(home, 'register'), world)
  await using register = await open()
  await applyAsSample(register.service, approver.path)
  rmSync(join(home, 'register', 'decisions.yaml'))
  expect(faultOf(() => register.service.plan())).toContain(
    'dec-opencode is in force but not in the files; keep it and write `withdrawn: 2026-11-23T12:00:00.000Z`',
  )
})

test('what was known, and what held: a correction leaves both answerable', async () => {
  await writeStarter(join(home, 'register'), world)
  await using register = await open()
  const { service } = register
  await applyAsSample(service, approver.path)
  const firstKnown = nowMs
  nowMs += 3_600_000
  const path = join(home, 'register', 'decisions.yaml')
  writeFileSync(
    path,
    readFileSync(path, 'utf8')
      .replace('effectiveFrom: 2026-07-10', 'effectiveFrom: 2026-07-12')
      .replace('effectiveUntil: 2026-07-10', 'effectiveUntil: 2026-07-12'),
  )
  await applyAsSample(service, approver.path)
  const phaseOf = (at: string, asKnownAtMs: number): unknown => {
    const atMs = parseInstant(at) ?? Number.NaN
    const shown = service.show({ atMs, asKnownAtMs })
    return shown.decisions.find((one) => one.id === 'dec-claude-code-ban')?.phases
  }
  const before = '2026-07-09T23:59:59+08:00'
  const after = '2026-07-10T00:00:00+08:00'
  expect(phaseOf(before, firstKnown)).toMatchObject({ shanghai: 'announced', berlin: 'announced' })
  expect(phaseOf(after, firstKnown)).toMatchObject({ shanghai: 'in force', berlin: 'announced' })
  expect(phaseOf(after, nowMs)).toMatchObject({ shanghai: 'announced' })
  expect(phaseOf(after, firstKnown - 1)).toBe(undefined)
})

test('tokens: shown once, kept as a hash, revoked for good; devices too', async () => {
  await writeStarter(join(home, 'register'), world)
  await using register = await open()
  const { service } = register
  await applyAsSample(service, approver.path)
  const { principals } = service
  await expect(principals.issueToken({ user: 'li.wie', expiresMs: nowMs + 1000 })).rejects.toThrow(
    'There is no person `li.wie`; did you mean `li.wei`?',
  )
  const token = await principals.issueToken({ user: 'li.wei', expiresMs: nowMs + 1000 })
  expect(token.text).toMatch(/^pst_[a-z2-7]{52}$/)
  expect(service.compile().principals.tokens).toMatchObject([{ id: token.id, site: 'shanghai' }])
  const kept = readFileSync(join(home, 'ledger', 'ledger.jsonl'), 'utf8') + JSON.stringify(noted)
  expect(kept).not.toContain(token.text)
  await principals.revokeToken(token.id, 'lost')
  expect(service.compile().revocations.tokens).toEqual([token.id])

  const { publicKey } = makePair()
  const device = await principals.enrollDevice({
    user: 'li.wei',
    publicKey,
    custody: 'device-user',
    levelMax: 'L2',
  })
  await principals.revokeDevice(device, 'stolen')
  expect(service.compile().revocations.devices).toEqual([device])
  await expect(
    principals.enrollDevice({ user: 'li.wei', publicKey, custody: 'device-user', levelMax: 'L2' }),
  ).rejects.toThrow(/never comes back/)
})

test('the ledger: same state after a restart, a torn line is cut, a changed one is found', async () => {
  await writeStarter(join(home, 'register'), world)
  const path = join(home, 'ledger', 'ledger.jsonl')
  {
    await using register = await open()
    await applyAsSample(register.service, approver.path)
  }
  const entries = noted.map((draft) => draft.public['digest'])
  appendFileSync(path, '{"n":8,"knownAtMs":1')
  {
    await using register = await open()
    expect(register.service.plan().changes).toEqual([])
  }
  expect(noted.map((draft) => draft.public['digest'])).toEqual(entries)

  // A crash after the line and before the log: the next start tells the log.
  writeFileSync(
    join(home, 'ledger', 'ledger.noted'),
    `7 ${JSON.stringify(entries[6]).slice(1, -1)}\n`,
  )
  {
    await using _register = await open()
  }
  expect(noted.at(-1)?.public['digest']).toBe(entries[7])

  writeFileSync(path, readFileSync(path, 'utf8').replace('prohibited', 'approved'))
  await expect(open()).rejects.toMatchObject({ code: 'log-invalid' })
})

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { makeHome, readRoot } from '#api/home.ts'
import { answerRegister } from '#register/calls.ts'
import { openRegister } from '#register/open.ts'
import { writeStarter } from '#register/starter.ts'
import { realWorld } from '#words/clock.ts'
import { registerRegister } from './register.ts'
import { registerToken } from './token.ts'

let home = ''
let key = ''

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'postern-cli-'))
  makeHome({ home, world: realWorld, sample: true })
  const keys = join(home, 'keys')
  const name = readdirSync(keys).find((one) => one.startsWith('approver-'))
  key = join(home, 'approver.key')
  // Approvers keep their keys elsewhere.
  copyFileSync(join(keys, name ?? ''), key)
  mkdirSync(join(home, 'policies'))
  writeFileSync(join(home, 'policies', 'a.cedar'), '@id("a") permit (principal, action, resource);')
  writeFileSync(join(home, 'policies', 'a.cedarschema'), 'entity User;')
  writeFileSync(join(home, 'postern.yaml'), 'policiesDir: policies\n')
  await writeStarter(join(home, 'register'), realWorld)
})
afterAll(() => rmSync(home, { recursive: true, force: true }))

async function run(...argv: string[]): Promise<string> {
  const program = new Command('postern').exitOverride()
  registerRegister(program)
  registerToken(program)
  let said = ''
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text)
    return true
  })
  const err = vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
  try {
    await program.parseAsync(['node', 'postern', ...argv, '--home', home])
  } finally {
    out.mockRestore()
    err.mockRestore()
  }
  return said
}

test('plan, sign, apply, show, token: with control down, under its lock', async () => {
  expect(await run('register', 'plan')).toMatch(/8 changes, 5 of them to sign/)
  await expect(run('register', 'apply')).rejects.toMatchObject({
    code: 'bundle-unsigned-loosening',
  })
  await expect(run('register', 'sign', '--key', key)).rejects.toMatchObject({ code: 'usage' })
  expect(await run('register', 'sign', '--key', key, '--yes')).toContain(
    'signed decision dec-codex',
  )
  expect(await run('register', 'apply')).toContain('applied 8 changes')
  expect(await run('register', 'apply')).toBe('the register is what the files say\n')
  expect(await run('register', 'list')).toMatch(
    /dec-claude-code-ban +Claude Code +prohibited +in force/,
  )
  expect(await run('register', 'show', '--at', '2026-07-09T23:59:59+08:00')).toMatch(
    /as known at .*\n/,
  )
  await expect(run('register', 'show', '--at', '2026-07-09')).rejects.toMatchObject({
    code: 'usage',
  })
  expect(await run('register', 'export', '--format', 'csv')).toMatch(/^id,subject,status,/)

  const made = JSON.parse(
    await run('token', 'issue', '--user', 'li.wei', '--tool', 'claude-code', '--json'),
  ) as { token: string; id: string; pointing: string[] }
  expect(made.token).toMatch(/^pst_/)
  expect(made.pointing[0]).toBe('export ANTHROPIC_BASE_URL=http://127.0.0.1:7710/anthropic')
  expect(made.pointing.join('\n')).toContain(made.token)
  const listed = await run('token', 'list', '--json')
  expect(listed).toContain(made.id)
  expect(listed).not.toContain(made.token)
  await expect(run('token', 'issue', '--user', 'li.wei', '--tool', 'claude-kode')).rejects.toThrow(
    'did you mean `claude-code`?',
  )
})

test('what was written while control was down is in the log before control goes on', async () => {
  const noted: unknown[] = []
  await using register = await openRegister({
    home,
    world: realWorld,
    root: readRoot(home),
    note: (draft) => {
      noted.push(draft.public['change'])
      return Promise.resolve()
    },
  })
  expect(noted.length).toBe(9)
  expect(noted.at(-1)).toBe('token-issued')
  expect(register.service.compile().principals.tokens.length).toBe(1)
})

test('with control up, the same over its socket', async () => {
  const opened = await openRegister({
    home,
    world: realWorld,
    root: readRoot(home),
    note: () => Promise.resolve(),
  })
  const server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const name = req.url?.replace('/v1/register/', '') ?? ''
      const input: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'))
      void answerRegister(opened.service, name, input).then(({ status, body }) => {
        res.writeHead(status).end(JSON.stringify(body))
      })
    })
  })
  const socket = join(home, 'run', 'control.sock')
  await new Promise<void>((resolve) => server.listen(socket, () => resolve()))
  try {
    expect(await run('register', 'list')).toContain('dec-codex-ban')
    await expect(run('token', 'revoke', 'tok_none', '--reason', 'x')).rejects.toMatchObject({
      code: 'not-found',
      outward: expect.stringContaining('There is no token `tok_none`') as string,
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
    await opened[Symbol.asyncDispose]()
  }
  // A socket that a killed process left behind does not stop anyone.
  rmSync(socket, { force: true })
  writeFileSync(socket, '')
  expect(await run('register', 'list')).toContain('dec-codex-ban')
})

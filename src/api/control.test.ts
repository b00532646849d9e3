import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openBundle } from '#decide/bundle.ts'
import { loadConfig } from '#register/config-file.ts'
import { applyAsSample, writeStarter } from '#register/starter.ts'
import { openRegisterAlone } from '#register/open.ts'
import type { NodeId } from '#words/ids.ts'
import { realWorld } from '#words/clock.ts'
import { timeHolds } from './contract/gate-channel.ts'
import type { GateMessage } from './contract/gate-channel.ts'
import { createControlApp, openApiDocument, routes } from './control-app.ts'
import type { ControlActions } from './control-app.ts'
import { startControl } from './control.ts'
import type { Control } from './control.ts'
import { askControl } from './control-client.ts'
import { homePaths, makeHome, readRoot } from './home.ts'
import { findKeyFile, openGateKeys } from './key-files.ts'

const home = mkdtempSync(join(tmpdir(), 'postern-control-'))
const paths = homePaths(home)
let control: Control

beforeAll(async () => {
  makeHome({ home, world: realWorld, sample: true })
  const config = loadConfig(home)
  await writeStarter(config.registerDir, realWorld)
  const root = readRoot(home)
  {
    await using register = await openRegisterAlone({ home, world: realWorld, root })
    await applyAsSample(register.service, findKeyFile(paths.keys, 'approver'))
  }
  const anyPort = { ...config, control: { ...config.control, port: 0 } }
  control = await startControl({ home, world: realWorld, config: anyPort })
})
afterAll(async () => {
  await control.close()
  rmSync(home, { recursive: true, force: true })
})

type Got = { status: number; text: string; headers: Record<string, unknown> }

function get(
  where: { port?: number; socketPath?: string },
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
  body?: string | Buffer,
): Promise<Got> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', ...where, path, headers, method }, (answer) => {
      let text = ''
      answer.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text, headers: answer.headers }),
      )
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** The first `count` lines of the gates' push channel. */
function listen(count: number): Promise<GateMessage[]> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { socketPath: paths.gateSocket, path: '/v1/bundle?after=-1&node=gate-t/0' },
      (answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => {
          text += chunk.toString('utf8')
          const lines = text.split('\n').slice(0, -1)
          if (lines.length < count) return
          outgoing.destroy()
          resolve(lines.map((line) => JSON.parse(line) as GateMessage))
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}

test('a home is made once, private, and never made anew over lost keys', () => {
  expect(makeHome({ home, world: realWorld, sample: true })).toMatchObject({
    fresh: false,
    keysMade: [],
  })
  expect(statSync(findKeyFile(paths.keys, 'log')).mode & 0o077).toBe(0)
  const other = mkdtempSync(join(tmpdir(), 'postern-home-'))
  makeHome({ home: other, world: realWorld, sample: false })
  rmSync(findKeyFile(homePaths(other).keys, 'log'))
  expect(() => makeHome({ home: other, world: realWorld, sample: false })).toThrow(/no log key/)
  rmSync(other, { recursive: true })
})

test('both sockets are the owner’s alone, and a second control is refused', async () => {
  for (const path of [paths.controlSocket, paths.gateSocket]) {
    expect(statSync(path).mode & 0o777).toBe(0o600)
  }
  expect(statSync(paths.run).mode & 0o777).toBe(0o700)
  await expect(startControl({ home, world: realWorld })).rejects.toMatchObject({
    code: 'already-running',
  })
})

test('gates get a bundle that holds, a signed time, and a revocation at once', async () => {
  const root = readRoot(home)
  const [bundle, time] = await listen(2)
  if (bundle?.kind !== 'bundle' || time?.kind !== 'time') throw new Error('other messages')
  const opened = openBundle(bundle.bundle, root)
  expect(timeHolds(time, root)).toBe(true)
  expect(timeHolds({ ...time, ms: time.ms + 1 }, root)).toBe(false)

  const three = listen(3)
  await expect.poll(async () => (await status()).gates.some((g) => g.connectedSinceMs)).toBe(true)
  const startedAt = performance.now()
  const [user] = opened.parts.principals.users
  await askControl(home, 'POST', '/v1/register/revoke-user', { id: user?.id, reason: 'test' })
  const pushed = (await three)[2]
  expect(performance.now() - startedAt).toBeLessThan(2_000)
  if (pushed?.kind !== 'bundle') throw new Error('no bundle was pushed')
  const next = openBundle(pushed.bundle, root)
  expect(next.parts.revocations.users).toContain(user?.id)
  expect(next.manifest.counter).toBe(opened.manifest.counter + 1)
  expect(JSON.parse(readFileSync(paths.bundleCounter, 'utf8'))).toEqual({
    highest: next.manifest.counter,
  })
})

async function status() {
  return askControl<{ gates: { connectedSinceMs: number | null }[]; log: { size: number } }>(
    home,
    'GET',
    '/v1/status',
  )
}

test('the gates’ socket enrols a node once and serves nothing else', async () => {
  const socketPath = paths.gateSocket
  const enrol = (node: string, publicKey: string) =>
    get(
      { socketPath },
      '/v1/nodes',
      {},
      'POST',
      JSON.stringify({ node, publicKey, custody: 'central' }),
    )
  const { publicKey } = openGateKeys(paths.keys, 'gate-t/0' as NodeId).node
  const other = openGateKeys(paths.keys, 'gate-u/0' as NodeId).node.publicKey
  expect((await enrol('gate-t/0', publicKey)).status).toBe(204)
  expect((await enrol('gate-t/0', publicKey)).status).toBe(204)
  expect((await enrol('gate-t/0', other)).status).toBe(403)
  expect((await enrol('../x', other)).status).toBe(400)
  expect((await get({ socketPath }, '/v1/status')).status).toBe(404)
  expect((await get({ socketPath }, '/v1/register/apply', {}, 'POST', '{}')).status).toBe(404)
  expect((await get({ socketPath }, '/v1/spool/gate-t%2F0', {}, 'POST', 'junk')).status).not.toBe(
    200,
  )
})

test('the status page: one link, once, for its own browser alone', async () => {
  const port = control.addresses.statusPort
  const host = `127.0.0.1:${port}`
  expect((await get({ port }, '/livez')).text).toBe('ok\n')
  expect((await get({ port }, '/readyz')).status).toBe(200)
  expect((await get({ port }, '/')).status, 'without a link').toBe(401)
  expect((await get({ port }, '/', { host: 'evil.example' })).status, 'rebinding').toBe(421)
  expect((await get({ port }, '/', {}, 'POST')).status).toBe(405)

  const link = new URL(control.addresses.statusUrl)
  const opened = await get({ port }, link.pathname + link.search)
  expect((await get({ port }, link.pathname + link.search)).status, 'a second time').toBe(401)
  const [set = ''] = opened.headers['set-cookie'] as string[]
  const cookie = set.split(';')[0] ?? ''
  const path = /Path=(\S+);/.exec(set)?.[1] ?? ''
  expect(set).toMatch(/HttpOnly; SameSite=Strict/)

  const page = await get({ port }, path, { host, cookie })
  expect(page.status).toBe(200)
  expect(page.text).toContain('The approved list')
  expect(page.text).not.toContain('<script')
  expect(page.headers['content-security-policy']).toContain("default-src 'none'")
  expect((await get({ port }, path)).status, 'without the cookie').toBe(401)
  const sites = ['cross-site', 'same-site']
  for (const site of sites) {
    expect((await get({ port }, path, { cookie, 'sec-fetch-site': site })).status).toBe(403)
  }
  expect((await get({ port }, `${path}log/checkpoint`, { cookie })).status).toBe(200)
  expect((await get({ port }, `${path}log/../root.json`, { cookie })).status).not.toBe(200)
})

test('the log is read with an auditor token that has not expired', async () => {
  const port = control.addresses.statusPort
  const issue = (expiresMs: number) =>
    askControl<{ token: string }>(home, 'POST', '/v1/auditor-tokens', { name: 'audit', expiresMs })
  const { token } = await issue(Date.now() + 60_000)
  const old = await issue(1)
  const read = (authorization: string) => get({ port }, '/log/checkpoint', { authorization })
  expect((await read(`Bearer ${token}`)).text).toContain(readRoot(home).origin)
  expect((await read(`Bearer ${old.token}`)).status).toBe(401)
  expect((await read('Bearer psa_guess')).status).toBe(401)
  expect((await get({ port }, '/log/checkpoint')).status).toBe(401)
  expect(readFileSync(paths.auditors, 'utf8')).not.toContain(token)
})

// The API asks for no credential because of where it listens: each route is on the owner's socket
// and on none of the two other listeners.
const guarded = [
  ['POST', '/v1/register/list'],
  ['GET', '/v1/status'],
  ['POST', '/v1/status-links'],
  ['POST', '/v1/auditor-tokens'],
  ['POST', '/v1/log/flush'],
  ['GET', '/v1/store'],
  ['POST', '/v1/store/rebuild'],
] as const

test.each(guarded)('%s %s answers on the owner’s socket alone', async (method, path) => {
  const headers = { 'content-type': 'application/json' }
  const at = async (where: { port?: number; socketPath?: string }) =>
    (await get(where, path, headers, method, method === 'POST' ? '{}' : '')).status
  expect([401, 405]).toContain(await at({ port: control.addresses.statusPort }))
  expect(await at({ socketPath: paths.gateSocket })).toBe(404)
})

test('the table above names every route', () => {
  const declared = Object.values(routes).map(
    (route) => `${route.method.toUpperCase()} ${route.path.replace('{call}', 'list')}`,
  )
  expect(new Set(declared)).toEqual(new Set(guarded.map((row) => row.join(' '))))
})

test('the published OpenAPI document is that of the code', () => {
  const file = join(import.meta.dirname, '../../docs/reference/openapi.json')
  const text = `${JSON.stringify(openApiDocument(createControlApp({} as ControlActions)), null, 2)}\n`
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, text)
  expect(existsSync(file) ? readFileSync(file, 'utf8') : '').toBe(text)
})

import { X509Certificate } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { SecureContextOptions } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { realWorld } from '#words/clock.ts'
import type { World } from '#words/clock.ts'
import { signLeaf } from '#test/harness/rogue-leaf.ts'
import { createAuthority, openAuthority } from './authority.ts'
import type { Authority } from './authority.ts'
import type { PemPair } from './certificate-parts.ts'
import { createServerCertificate } from './server-certificate.ts'

let nowMs = Date.now()
const world: World = { ...realWorld, nowMs: () => nowMs }
let pair: PemPair
let authority: Authority

beforeAll(async () => {
  pair = await createAuthority({
    permitted: ['example.com', 'provider.test'],
    name: 'Postern CA of a test',
    world,
  })
  authority = await openAuthority(pair, { world, bounds: { cachedMax: 3, hoursValid: 24 } })
})
afterAll(() => {
  nowMs = Date.now()
})

/** What Node as a client says of a server with this certificate: its words, or `accepted`. */
async function verdictOf(leaf: SecureContextOptions, host: string, ca: string): Promise<string> {
  const server = createServer(leaf, (socket) => socket.end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    return await new Promise((resolve) => {
      const isAddress = /^[\d.]+$|:/.test(host)
      const socket = connect(
        { host: '127.0.0.1', port, ca, ...(isAddress ? {} : { servername: host }) },
        () => {
          resolve('accepted')
          socket.destroy()
        },
      )
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.message))
    })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}

test('the authority is critical in what it may not do', () => {
  const certificate = new X509Certificate(pair.certPem)
  expect(certificate.ca).toBe(true)
  expect(authority.permitted).toEqual(['example.com', 'provider.test'])
  expect(certificate.subject).toContain('CN=Postern CA of a test')
})

test('Node accepts a leaf inside and refuses one outside, and any address', async () => {
  const inside = await signLeaf(pair, { type: 'dns', value: 'api.example.com' })
  const outside = await signLeaf(pair, { type: 'dns', value: 'bank.test' })
  const address = await signLeaf(pair, { type: 'ip', value: '127.0.0.1' })
  const six = await signLeaf(pair, { type: 'ip', value: '::1' })
  const asOptions = (leaf: PemPair): SecureContextOptions => ({
    cert: leaf.certPem,
    key: leaf.keyPem,
  })
  expect(await verdictOf(asOptions(inside), 'api.example.com', pair.certPem)).toBe('accepted')
  expect(await verdictOf(asOptions(outside), 'bank.test', pair.certPem)).toMatch(
    /permitted subtree violation/,
  )
  expect(await verdictOf(asOptions(address), '127.0.0.1', pair.certPem)).toMatch(
    /excluded subtree violation/,
  )
  expect(await verdictOf(asOptions(six), '::1', pair.certPem)).toMatch(/excluded subtree violation/)
})

test('permits says what clients will say, and nothing is signed beyond it', async () => {
  for (const host of ['example.com', 'api.example.com', 'a.b.provider.test']) {
    expect(authority.permits(host), host).toBe(true)
  }
  const never = ['notexample.com', 'example.com.evil.test', 'test', '127.0.0.1', '::1', '127.1']
  for (const host of [...never, 'API.example.com', 'example.com.', '*.example.com', '', '.']) {
    expect(authority.permits(host), host).toBe(false)
    await expect(authority.secureContextFor(host)).rejects.toMatchObject({
      code: 'host-not-permitted',
    })
  }
})

test('a leaf is for one host, a server only, and within its time', async () => {
  const leaf = new X509Certificate(await authority.leafFor('api.example.com'))
  expect(leaf.subjectAltName).toBe('DNS:api.example.com')
  expect(leaf.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  expect(leaf.ca).toBe(false)
  expect(leaf.validToDate.getTime() - nowMs).toBeLessThanOrEqual(24 * 3_600_000)
  expect(leaf.verify(new X509Certificate(pair.certPem).publicKey)).toBe(true)
})

test('leaves are kept, renewed before they end, and bounded in number', async () => {
  const first = await authority.leafFor('one.example.com')
  expect(await authority.leafFor('one.example.com')).toBe(first)
  await authority.leafFor('two.example.com')
  await authority.leafFor('three.example.com')
  await authority.leafFor('one.example.com')
  await authority.leafFor('four.example.com')
  expect(await authority.leafFor('one.example.com'), 'recently used').toBe(first)
  nowMs += 19 * 3_600_000
  expect(await authority.leafFor('one.example.com'), 'renewed').not.toBe(first)
  nowMs -= 19 * 3_600_000
  const many = await Promise.all([1, 2, 3].map(() => authority.leafFor('at-once.example.com')))
  expect(new Set(many).size).toBe(1)
})

test('an authority without the constraints, or with another key, is not opened', async () => {
  const other = await createAuthority({ permitted: 'any-name', name: 'throwaway', world })
  await expect(openAuthority(other, { world })).rejects.toMatchObject({ code: 'key-missing' })
  const opened = await openAuthority(other, { world, allowAnyName: true })
  expect(opened.permits('anything.test')).toBe(true)
  expect(opened.permits('127.0.0.1')).toBe(false)
  await expect(
    openAuthority({ certPem: pair.certPem, keyPem: other.keyPem }, { world }),
  ).rejects.toMatchObject({ code: 'key-missing' })
  const gate = await createServerCertificate({ hosts: ['localhost', '127.0.0.1'], world })
  await expect(openAuthority(gate, { world })).rejects.toMatchObject({ code: 'key-missing' })
  await expect(openAuthority({ ...pair, certPem: 'x' }, { world })).rejects.toMatchObject({
    code: 'key-missing',
  })
  const old: World = { ...world, nowMs: () => nowMs + 3 * 366 * 24 * 3_600_000 }
  await expect(openAuthority(pair, { world: old })).rejects.toMatchObject({ code: 'key-missing' })
})

test('a domain that would permit too much is not written into an authority', async () => {
  for (const name of ['com', '127.0.0.1', '*.example.com', '', 'a b.com']) {
    await expect(createAuthority({ permitted: [name], name: 'x', world })).rejects.toMatchObject({
      code: 'config-invalid',
    })
  }
  await expect(createAuthority({ permitted: [], name: 'x', world })).rejects.toMatchObject({
    code: 'config-invalid',
  })
})

test("the gate's own certificate stands alone", async () => {
  const gate = await createServerCertificate({ hosts: ['localhost', '127.0.0.1'], world })
  const certificate = new X509Certificate(gate.certPem)
  expect(certificate.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1')
  expect(certificate.ca).toBe(false)
  expect(certificate.verify(new X509Certificate(pair.certPem).publicKey)).toBe(false)
  const leaf = { cert: gate.certPem, key: gate.keyPem }
  expect(await verdictOf(leaf, '127.0.0.1', gate.certPem)).toBe('accepted')
  expect(await verdictOf(leaf, '127.0.0.1', pair.certPem)).not.toBe('accepted')
})

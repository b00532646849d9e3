/**
 * Real clients, each against a server with a leaf inside the constraints, one outside, and one for
 * an address. Everything stays on loopback: names are resolved by a proxy of the test, or by hand.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket, createSecureContext } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAuthority } from '#gate/authority.ts'
import type { PemPair } from '#gate/certificate-parts.ts'
import { realWorld } from '#words/clock.ts'
import type { ClientName } from '#test/harness/client-install.ts'
import { needsClient } from '#test/harness/client-install.ts'
import { clientHome, runClient } from '#test/harness/clients.ts'
import { suite } from '#test/harness/needs.ts'
import { signLeaf } from '#test/harness/rogue-leaf.ts'

const inside = 'api.provider.test'
const outside = 'api.bank.test'
const address = '198.51.100.7'
const hosts = [inside, outside, address] as const

let folder: string
let caFile: string
let server: Server
let port: number
let leaves: Map<string, PemPair>
/** Hosts from which a request was read: their certificate was accepted. */
let trusted: Set<string>
/** Host -> how the handshake with it failed, as the server heard it. */
let alerts: Map<string, string>

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'postern-refusals-'))
  const authority = await createAuthority({
    permitted: ['provider.test'],
    name: 'refusals',
    world: realWorld,
  })
  caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, authority.certPem)
  leaves = new Map()
  for (const host of hosts) {
    const type = host === address ? 'ip' : 'dns'
    leaves.set(host, await signLeaf(authority, { type, value: host }))
  }
  trusted = new Set()
  alerts = new Map()
  server = createServer(serve)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await new Promise((resolve) => server.close(resolve))
})

/** A CONNECT proxy that is the host itself, whatever host that is; or TLS at once, by SNI. */
function serve(socket: Socket): void {
  socket.on('error', () => socket.destroy())
  socket.once('data', (first: Buffer) => {
    const asked = /^CONNECT ([^: ]+):\d+ /.exec(first.toString('latin1'))
    socket.pause()
    if (asked === null) {
      socket.unshift(first)
      const named = hosts.find((host) => first.includes(host))
      return shake(socket, named ?? address)
    }
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    shake(socket, asked[1] ?? '')
  })
}

function shake(socket: Socket, host: string): void {
  const leaf = leaves.get(host)
  if (leaf === undefined) return void socket.destroy()
  const context = createSecureContext({ cert: leaf.certPem, key: leaf.keyPem })
  const secured = new TLSSocket(socket, { isServer: true, secureContext: context })
  secured.on('error', (error: NodeJS.ErrnoException) => {
    alerts.set(host, error.code ?? error.message)
    socket.destroy()
  })
  secured.once('data', () => {
    trusted.add(host)
    secured.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
  })
}

type Ran = { readonly code: number | null; readonly said: string }

async function run(command: string, args: readonly string[], env: object = {}): Promise<Ran> {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], HOME: folder, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  child.stdin.end('GET / HTTP/1.0\r\n\r\n')
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  return { code, said }
}

/** Runs `client` for each host and says which hosts it trusted, and what it said of the others. */
async function judge(client: (host: string) => Promise<Ran>): Promise<{
  readonly trusts: readonly string[]
  readonly complaints: readonly string[]
  readonly alerts: Record<string, string>
}> {
  trusted.clear()
  alerts.clear()
  const complaints: string[] = []
  for (const host of hosts) {
    const { said } = await client(host)
    if (!trusted.has(host)) complaints.push(said)
  }
  return { trusts: [...trusted], complaints, alerts: Object.fromEntries(alerts) }
}

const violation = /(?:permitted|excluded) subtree violation/
/** What a client trusts that says itself why it refused. */
const saying = (outsideWords: RegExp, addressWords = outsideWords): object => ({
  trusts: [inside],
  complaints: [expect.stringMatching(outsideWords), expect.stringMatching(addressWords)],
})

test('Node', async () => {
  const script = `
    const [host, port] = process.argv.slice(1)
    const name = /^[\\d.]+$/.test(host) ? {} : { servername: host }
    const socket = require('tls').connect({
      host: '127.0.0.1', port, ...name,
      checkServerIdentity: (_asked, cert) => require('tls').checkServerIdentity(host, cert),
    }, () => { socket.write('GET / HTTP/1.0\\r\\n\\r\\n') })
    socket.on('error', (error) => { console.log(error.message); process.exit(1) })
    socket.on('end', () => process.exit(0)).resume()`
  const judged = await judge((host) =>
    run(process.execPath, ['-e', script, host, String(port)], { NODE_EXTRA_CA_CERTS: caFile }),
  )
  expect(judged).toMatchObject(saying(violation))
})

suite('OpenSSL', [{ command: 'openssl', debian: 'openssl' }], () => {
  test('refuses outside and addresses', async () => {
    const judged = await judge((host) => {
      const name =
        host === address ? ['-verify_ip', host, '-noservername'] : ['-verify_hostname', host]
      const sni = host === address ? [] : ['-servername', host]
      const common = ['-connect', `127.0.0.1:${port}`, '-CAfile', caFile, '-verify_return_error']
      return run('openssl', ['s_client', ...common, ...name, ...sni, '-quiet'])
    })
    expect(judged).toMatchObject(saying(violation))
  })
})

suite('curl', [{ command: 'curl', debian: 'curl' }], () => {
  test('refuses outside and addresses', async () => {
    const judged = await judge((host) =>
      run('curl', [
        '-sS',
        '--cacert',
        caFile,
        '--proxy',
        `http://127.0.0.1:${port}`,
        `https://${host}/`,
      ]),
    )
    expect(judged).toMatchObject(saying(violation))
  })
})

suite('git', [{ command: 'git', debian: 'git' }], () => {
  test('refuses outside and addresses', async () => {
    const judged = await judge((host) =>
      run(
        'git',
        ['-c', `http.proxy=http://127.0.0.1:${port}`, 'ls-remote', `https://${host}/a.git`],
        { GIT_SSL_CAINFO: caFile, GIT_TERMINAL_PROMPT: '0' },
      ),
    )
    // Debian's git is built on GnuTLS, which names no reason and sends no alert.
    expect(judged).toMatchObject(saying(/server certificate verification failed/))
  })
})

async function runTool(client: ClientName, host: string): Promise<Ran> {
  const base = `https://${host}`
  const road = { door: 'none', base } as const
  using at = clientHome(client, road)
  const proxy = `http://127.0.0.1:${port}`
  const ran = await runClient({
    client,
    road,
    prompt: 'say hi',
    at,
    timeoutMs: 15_000,
    env: {
      HTTPS_PROXY: proxy,
      HTTP_PROXY: proxy,
      NO_PROXY: '',
      NODE_EXTRA_CA_CERTS: caFile,
      SSL_CERT_FILE: caFile,
    },
  })
  return { code: ran.code, said: ran.stdout + ran.stderr }
}

suite('Claude Code (Bun)', [needsClient('claude-code')], () => {
  test('refuses outside and addresses', async () => {
    // BoringSSL takes no certificate that lists an address under an authority that limits them.
    const judged = await judge((host) => runTool('claude-code', host))
    expect(judged).toMatchObject(
      saying(/\(PERMITTED_VIOLATION\)/, /\(UNSUPPORTED_CONSTRAINT_TYPE\)/),
    )
  })
})

suite('Codex (rustls)', [needsClient('codex')], () => {
  test('refuses outside and addresses', async () => {
    // It says only that the stream broke, so its alert must tell.
    const alert = expect.stringMatching(/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN)/)
    expect(await judge((host) => runTool('codex', host))).toMatchObject({
      trusts: [inside],
      alerts: { [outside]: alert, [address]: alert },
    })
  })
})

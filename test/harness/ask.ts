/** A client of the tests' own at either door: raw headers in, raw headers out. */
import { request } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { readFileSync } from 'node:fs'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import type { ClientName } from './client-install.ts'
import type { Road } from './clients.ts'

export type Asked = {
  readonly client: ClientName
  readonly road: Road
  readonly method?: string
  /** The provider's own path. */
  readonly target: string
  readonly rawHeaders?: readonly string[]
  readonly body?: Buffer | string
}

export type Answered = {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly body: string
}

export const hostOf: Readonly<Record<ClientName, string>> = {
  'claude-code': 'api.anthropic.com',
  codex: 'api.openai.com',
}

/** As the real clients send it, measured in November 2026. */
export const userAgentOf: Readonly<Record<ClientName, string>> = {
  'claude-code': 'claude-cli/2.1.330 (external, sdk-cli)',
  codex: 'codex_exec/0.169.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.169.0)',
}

/** Opens a TLS connection to a provider through the TLS door. */
export function openTunnel(road: Road & { door: 'tls' }, name: string): Promise<TLSSocket> {
  const proxy = new URL(road.proxy)
  const socket = connect(Number(proxy.port), proxy.hostname)
  const credential = Buffer.from(`postern:${road.token}`).toString('base64')
  socket.write(
    `CONNECT ${name}:443 HTTP/1.1\r\nhost: ${name}:443\r\nproxy-authorization: Basic ${credential}\r\n\r\n`,
  )
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('data', (chunk) => {
      const [first = ''] = chunk.toString('latin1').split('\r\n', 1)
      if (!first.startsWith('HTTP/1.1 200')) return reject(new Error(`CONNECT: ${first}`))
      const ca = readFileSync(road.caFile, 'utf8')
      const secured = connectTls({ socket, servername: name, ca }, () => resolve(secured))
      secured.once('error', reject)
    })
  })
}

export async function ask(asked: Asked): Promise<Answered> {
  const { client, road } = asked
  const body = Buffer.from(asked.body ?? '')
  const given = asked.rawHeaders ?? [
    'User-Agent',
    userAgentOf[client],
    'Content-Type',
    'application/json',
  ]
  const base = road.door === 'tls' ? new URL(`http://${hostOf[client]}`) : new URL(road.base)
  const headers = ['Host', base.host, ...given]
  if (road.door === 'base-url') headers.push('x-postern-token', road.token)
  if (body.length > 0) headers.push('Content-Length', String(body.length))
  const socket: Socket =
    road.door === 'tls'
      ? await openTunnel(road, hostOf[client])
      : connect(Number(base.port), base.hostname)
  return await new Promise((resolve, reject) => {
    const req = request({
      createConnection: () => socket,
      method: asked.method ?? 'POST',
      path: road.door === 'tls' ? asked.target : `${base.pathname}${asked.target}`,
      headers,
      setDefaultHeaders: false,
    })
    req.once('error', reject)
    req.once('response', (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.once('error', reject)
      res.once('end', () => {
        socket.destroy()
        resolve({
          status: res.statusCode ?? 0,
          rawHeaders: res.rawHeaders,
          body: Buffer.concat(chunks).toString(),
        })
      })
    })
    req.end(body)
  })
}

/** Opens Codex's WebSocket at either door. */
export async function openResponsesSocket(road: Road): Promise<WebSocket> {
  const headers = { 'user-agent': userAgentOf.codex, authorization: 'Bearer sk-test' }
  const ws =
    road.door === 'tls'
      ? await overTunnel(road, headers)
      : new WebSocket(`${road.base.replace(/^http/, 'ws')}/v1/responses`, {
          headers:
            road.door === 'base-url' ? { ...headers, 'x-postern-token': road.token } : headers,
        })
  await new Promise<void>((resolve, reject) => {
    ws.once('open', () => resolve())
    ws.once('error', reject)
  })
  return ws
}

async function overTunnel(
  road: Road & { door: 'tls' },
  headers: Readonly<Record<string, string>>,
): Promise<WebSocket> {
  const socket = await openTunnel(road, hostOf.codex)
  const options = { headers, createConnection: () => socket }
  return new WebSocket(`ws://${hostOf.codex}/v1/responses`, options)
}

/** Sends one message and gathers events until the answer is complete or the socket closes. */
export function converse(
  ws: WebSocket,
  message: object,
): Promise<{ readonly events: readonly Record<string, unknown>[]; readonly closed: number }> {
  return new Promise((resolve) => {
    const events: Record<string, unknown>[] = []
    const done = (closed: number): void => {
      ws.off('message', take)
      ws.off('close', done)
      resolve({ events, closed })
    }
    const take = (data: Buffer): void => {
      const event = JSON.parse(data.toString()) as Record<string, unknown>
      events.push(event)
      if (event['type'] === 'response.completed') done(0)
    }
    ws.on('message', take)
    ws.once('close', done)
    ws.send(JSON.stringify(message))
  })
}

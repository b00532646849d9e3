import { once } from 'node:events'
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { Duplex } from 'node:stream'
import { createAuthority, openAuthority } from '#gate/authority.ts'
import type { ConnectionRecord, FilterInput, TlsDoorOptions } from '#gate/door-types.ts'
import { createTlsDoor } from '#gate/tls-door.ts'
import type { TlsDoor } from '#gate/tls-door.ts'
import { realWorld } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'

export type Stand = {
  readonly door: TlsDoor
  readonly ca: string
  readonly records: ConnectionRecord[]
  readonly asked: FilterInput[]
  /** `method target host` of each request that reached `onRequest`. */
  readonly seen: string[]
  /** Waits until a record fits. */
  record(fits: (record: ConnectionRecord) => boolean): Promise<ConnectionRecord>
  /** A plain connection to the door. */
  dial(): Promise<Socket>
  /** Through CONNECT, up to the answer's status line. */
  tunnelTo(target: string, headers?: string): Promise<{ socket: Socket; status: string }>
  /** Through CONNECT and TLS. */
  secure(host: string, how?: { alpn?: string[]; servername?: string }): Promise<TLSSocket>
  /** Sends raw bytes and gives everything that comes back until the end. */
  say(socket: Socket, text: string | Buffer): Promise<string>
  close(): Promise<void>
}

/**
 * A TLS door with a throwaway authority: `*.example.com` is decrypted and answered `ok`,
 * `*.tunnel.test` is tunnelled to an upstream of the test, all else is refused.
 */
export async function standTlsDoor(
  options: Partial<TlsDoorOptions> & { readonly upstream?: Server } = {},
): Promise<Stand> {
  const pair = await createAuthority({
    permitted: ['example.com'],
    name: 'stand',
    world: realWorld,
  })
  const records: ConnectionRecord[] = []
  const waiters = new Set<() => void>()
  const asked: FilterInput[] = []
  const seen: string[] = []
  const open = new Set<Socket>()
  const { upstream, ...rest } = options
  const door = createTlsDoor({
    world: realWorld,
    authority: await openAuthority(pair, { world: realWorld }),
    filter: (input) => {
      asked.push(input)
      if (/(?:^|\.)(?:example\.com|not-in-authority\.test)$/.test(input.host)) {
        return { kind: 'decrypt', words: '' }
      }
      if (input.host.endsWith('tunnel.test')) return { kind: 'tunnel', words: '' }
      return { kind: 'refuse', words: `${input.host} is not listed` }
    },
    onRequest: (req, res) => {
      const host = req.headers[':authority'] ?? req.headers['host']
      seen.push(`${req.method ?? ''} ${req.url ?? ''} ${String(host)}`)
      req.resume()
      req.once('end', () => (res as { end(text: string): void }).end('ok'))
    },
    onUpgrade: (_req, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nhi')
    },
    onConnection: (record) => {
      records.push(record)
      for (const wake of waiters) wake()
    },
    connect: async (host) => {
      if (upstream === undefined || host.startsWith('private.')) {
        throw new Fault('address-refused', { outward: 'a private address' })
      }
      const socket = connectTcp((upstream.address() as AddressInfo).port, '127.0.0.1')
      await once(socket, 'connect')
      return socket
    },
    ...rest,
  })
  const port = await door.listen({ host: '127.0.0.1', port: 0 })

  async function dial(): Promise<Socket> {
    const socket = connectTcp({ port, host: '127.0.0.1', allowHalfOpen: true })
    open.add(socket)
    socket.on('error', () => socket.destroy())
    await once(socket, 'connect')
    return socket
  }
  async function tunnelTo(
    target: string,
    headers = '',
  ): Promise<{ socket: Socket; status: string }> {
    const socket = await dial()
    socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${headers}\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    return { socket, status: answer.toString().split('\r\n')[0] ?? '' }
  }
  return {
    door,
    ca: pair.certPem,
    records,
    asked,
    seen,
    dial,
    tunnelTo,
    async record(fits) {
      for (;;) {
        const found = records.find(fits)
        if (found !== undefined) return found
        await new Promise<void>((resolve) => {
          const wake = (): void => {
            waiters.delete(wake)
            resolve()
          }
          waiters.add(wake)
        })
      }
    },
    async secure(host, how = {}) {
      const { socket } = await tunnelTo(`${host}:443`)
      const secured = connectTls({
        socket,
        servername: how.servername ?? host,
        ca: pair.certPem,
        ALPNProtocols: how.alpn ?? ['http/1.1'],
      })
      await once(secured, 'secureConnect')
      return secured
    },
    async say(socket, text) {
      let heard = ''
      socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')))
      const over = new Promise((resolve) => {
        socket.once('end', resolve)
        socket.once('close', resolve)
        socket.on('error', resolve)
      })
      socket.write(text)
      await over
      socket.destroy()
      return heard
    },
    async close() {
      for (const socket of open) socket.destroy()
      await door.close({ graceMs: 200 })
    },
  }
}

/** An upstream of the test that answers each connection as `serve` says. */
export async function standUpstream(serve: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy())
    serve(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server
}

/** The ClientHello that Node sends. */
export function helloFor(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(Buffer.from(chunk))
        done()
      },
    })
    connectTls({ socket: wire, servername, ALPNProtocols: ['h2'] }).on('error', () =>
      wire.destroy(),
    )
  })
}

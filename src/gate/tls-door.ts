import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import type { ListenOptions, Socket } from 'node:net'
import { limits } from '#words/limits.ts'
import { serveConnect } from './connect.ts'
import type { Door } from './connect.ts'
import { Connection } from './connection.ts'
import { createDecryptor } from './decrypt.ts'
import type { DoorLimits, TlsDoorOptions } from './door-types.ts'
import { answerAndClose, answerToBrokenHttp, strictHttp1 } from './inner-http.ts'
import { peek } from './peek.ts'
import { servePlainHttp } from './plain-http.ts'
import { serveTransparentTls } from './transparent.ts'

export type TlsDoor = {
  /** Resolves when it listens; `at` as `net.Server.listen` takes it (`port: 0` picks one). */
  listen(at: ListenOptions): Promise<number>
  readonly port: number
  /** Sockets that are open now. */
  readonly connections: number
  /** Takes one socket from somewhere else, such as the launcher's. */
  accept(socket: Socket): void
  /** Takes nothing new, lets what runs end for `graceMs`, then cuts the rest. */
  close(options?: { readonly graceMs: number }): Promise<void>
}

const tlsHandshakeByte = 22

/**
 * The TLS door: one listener for an HTTP proxy (CONNECT, and whole URLs) and for clients that do
 * not know of it, told apart by their first byte.
 *
 * Fails closed: without a name, a filter's word and a certificate that clients accept, nothing
 * passes, and what was refused is recorded. It holds no state outside of itself.
 */
export function createTlsDoor(options: TlsDoorOptions): TlsDoor {
  const bounds: DoorLimits = { ...limits, ...options.limits }
  const door: Door = { options, bounds, decryptor: createDecryptor(options, bounds) }
  const ports = options.transparentPorts ?? { tls: 443, http: 80 }
  const open = new Map<Socket, Connection>()
  let closing = false

  // The outer HTTP: what a client says to a proxy.
  const proxy = strictHttp1(bounds)
  proxy.on('connect', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    const connection = open.get(socket)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    void serveConnect(door, connection, {
      target: req.url ?? '',
      hostHeader: req.headers.host,
      proxyAuthorization: req.headers['proxy-authorization'],
      head,
    })
  })
  const plain = (req: IncomingMessage, res: ServerResponse, waits: boolean): void => {
    const connection = open.get(req.socket)
    if (connection === undefined) return void req.socket.destroy()
    void servePlainHttp(door, connection, { req, res, waits, port: ports.http })
  }
  proxy.on('request', (req, res) => plain(req, res, false))
  proxy.on('checkContinue', (req, res) => plain(req, res, true))
  proxy.on('upgrade', (req: IncomingMessage, socket: Socket, head: Buffer) => {
    const connection = open.get(socket)
    if (connection === undefined) {
      socket.destroy()
      return
    }
    void servePlainHttp(door, connection, { req, socket, head, port: ports.http })
  })
  proxy.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const answer = answerToBrokenHttp(error)
    if ((socket as Socket).bytesRead > 0) {
      open.get(socket as Socket)?.refuse(answer.reason, error.code ?? '')
    }
    answerAndClose(socket as Socket, answer.status)
  })

  const accept = (socket: Socket): void => {
    const connection = new Connection(socket, options)
    open.set(socket, connection)
    socket.once('close', () => open.delete(socket))
    if (open.size > bounds.connectionsPerWorkerMax) {
      connection.refuse('too-many-connections')
      socket.destroy()
      return
    }
    void firstByte(connection)
  }

  const firstByte = async (connection: Connection): Promise<void> => {
    const { socket } = connection
    let first = -1
    const look = (chunk: Buffer): boolean => {
      first = chunk[0] ?? -1
      return first >= 0
    }
    const outcome = await peek(socket, look, bounds.headerReadMsMax)
    if (outcome !== 'ready') {
      if (outcome === 'timeout') connection.refuse('hello-timeout', 'not a byte')
      socket.destroy()
    } else if (first === tlsHandshakeByte) {
      await serveTransparentTls(door, connection, ports.tls)
    } else {
      proxy.emit('connection', socket)
      socket.resume()
    }
  }

  const listener = createServer({ allowHalfOpen: true, noDelay: true }, accept)
  let port = 0
  return {
    get port() {
      return port
    },
    get connections() {
      return open.size
    },
    accept(socket) {
      if (closing) socket.destroy()
      else accept(socket)
    },
    listen(at) {
      return new Promise((resolve, reject) => {
        listener.once('error', reject)
        listener.listen(at, () => {
          listener.off('error', reject)
          const address = listener.address()
          if (typeof address === 'object' && address !== null) port = address.port
          resolve(port)
        })
      })
    },
    async close(how = { graceMs: 0 }) {
      closing = true
      if (listener.listening) listener.close()
      const untilMs = performance.now() + how.graceMs
      while (open.size > 0 && performance.now() < untilMs) {
        // Keep-alive connections become idle one by one, as their last answers end.
        proxy.closeIdleConnections()
        door.decryptor.drain()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      for (const [socket, connection] of open) {
        connection.ended('failed', 'cut', 'the gate closes')
        socket.destroy()
      }
      door.decryptor.close()
      proxy.closeAllConnections()
      proxy.close()
    },
  }
}

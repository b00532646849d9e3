import { createServer as createTlsServer } from 'node:tls'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { Socket } from 'node:net'
import type { ServerHttp2Session } from 'node:http2'
import type { Connection } from './connection.ts'
import type { Context, DoorLimits, TlsDoorOptions } from './door-types.ts'
import { createInnerHttp1 } from './inner-http.ts'
import type { Inner } from './inner-http.ts'
import { createInnerHttp2, innerKey } from './inner-http2.ts'

export type Decryptor = {
  /** Takes a socket whose unread bytes begin with a ClientHello for `context.host`. */
  takeTls(connection: Connection, context: Omit<Context, 'alpn'>): Promise<void>
  /** Takes a socket whose unread bytes are HTTP/1.1 without TLS. */
  takePlain(connection: Connection, context: Context): void
  /** No new request; what runs may end. */
  drain(): void
  close(): void
}

/**
 * Ends TLS in the name of a host and reads HTTP/1.1 or HTTP/2 from it.
 *
 * Never shows a certificate that clients would have to refuse: the caller has asked
 * `authority.permits`, and `secureContextFor` throws for any other host.
 */
export function createDecryptor(options: TlsDoorOptions, bounds: DoorLimits): Decryptor {
  const innerOf = new WeakMap<object, Inner>()
  const waiting = new WeakMap<Socket, { context: Omit<Context, 'alpn'>; connection: Connection }>()
  const http1 = createInnerHttp1(options, bounds, innerOf)
  const http2 = createInnerHttp2(options, bounds, innerOf)
  const sessions = new Set<ServerHttp2Session>()
  http2.on('session', (session) => {
    sessions.add(session)
    session.once('close', () => sessions.delete(session))
  })

  const tls = createTlsServer({
    ALPNProtocols: ['h2', 'http/1.1'],
    minVersion: 'TLSv1.2',
    handshakeTimeout: bounds.headerReadMsMax,
    ticketKeys: options.ticketKeys ?? options.world.randomBytes(48),
    sessionIdContext: 'postern',
    noDelay: true,
    SNICallback: (host, done) => {
      void answerWith(options.authority.secureContextFor(host), done)
    },
  })
  tls.on('secureConnection', (secured) => {
    const waited = waiting.get(parentOf(secured))
    if (waited === undefined) {
      secured.destroy()
      return
    }
    const { connection } = waited
    secured.on('error', (error: NodeJS.ErrnoException) => {
      connection.ended('failed', reasonOf(error), error.code ?? error.message)
    })
    const alpn = secured.alpnProtocol === 'h2' ? 'h2' : 'http/1.1'
    connection.alpn = alpn
    connection.ended('decrypted')
    const inner: Inner = { connection, context: { ...waited.context, alpn } }
    if (alpn === 'h2') {
      Object.assign(secured, { [innerKey]: inner })
      http2.emit('connection', secured)
    } else {
      innerOf.set(secured, inner)
      http1.emit('connection', secured)
    }
  })
  tls.on('tlsClientError', (error: NodeJS.ErrnoException, secured) => {
    const waited = waiting.get(parentOf(secured))
    waited?.connection.ended('failed', reasonOf(error), error.code ?? error.message)
    secured.destroy()
  })

  return {
    async takeTls(connection, context) {
      // Minted before the handshake begins, so that a failure refuses instead of hanging.
      await options.authority.secureContextFor(context.host)
      const { socket } = connection
      if (socket.destroyed) return
      socket.allowHalfOpen = false
      waiting.set(socket, { context, connection })
      tls.emit('connection', socket)
    },
    takePlain(connection, context) {
      const { socket } = connection
      connection.alpn = context.alpn
      connection.ended('decrypted')
      innerOf.set(socket, { connection, context })
      http1.emit('connection', socket)
      socket.resume()
    },
    drain() {
      http1.closeIdleConnections()
      for (const session of sessions) if (!session.closed) session.close()
    },
    close() {
      http1.closeAllConnections()
      http1.close()
      for (const session of sessions) session.destroy()
    },
  }
}

async function answerWith(
  context: Promise<SecureContext>,
  done: (error: Error | null, context?: SecureContext) => void,
): Promise<void> {
  try {
    done(null, await context)
  } catch (cause) {
    done(cause as Error)
  }
}

/** `tls.Server` keeps the socket below as `_parent`; it is the only way from one to the other. */
function parentOf(secured: TLSSocket): Socket {
  return (secured as unknown as { readonly _parent: Socket })._parent
}

/** A client that does not trust our authority says so by an alert; `doctor` wants to know. */
function reasonOf(error: NodeJS.ErrnoException): 'client-refused-certificate' | 'tls-handshake' {
  return /ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|UNSUPPORTED_CERTIFICATE)/.test(
    error.code ?? '',
  )
    ? 'client-refused-certificate'
    : 'tls-handshake'
}

import { HelloReader } from './client-hello.ts'
import type { Connection } from './connection.ts'
import { askFilter, connectUpstream, handToTls, readHello, runTunnel } from './connect.ts'
import type { Door } from './connect.ts'

/**
 * A client that does not know of us: its TLS begins at once, and the SNI alone says where it goes.
 * The address that it dialled is never used; our side resolves the name and checks the address.
 *
 * Refused and recorded: no name; a name that may be the outer one of an encrypted hello, unless
 * we decrypt (then what is inside is what we read, and an inner name reaches nobody).
 */
export async function serveTransparentTls(
  door: Door,
  connection: Connection,
  port: number,
): Promise<void> {
  const { socket } = connection
  connection.port = port
  const state = await readHello(new HelloReader(), connection, door.bounds.headerReadMsMax)
  if (state === null) return
  if (state.kind !== 'hello') {
    return connection.refuseTls('malformed-hello', state.kind === 'broken' ? state.why : '')
  }
  const { hello } = state
  connection.hello = hello
  if (hello.sni === null) return connection.refuseTls('no-server-name')
  connection.host = hello.sni
  const verdict = await askFilter(door, connection, {
    host: hello.sni,
    port,
    mode: 'transparent',
    scheme: 'https',
    peer: connection.peer,
  })
  if (socket.destroyed) return
  if (verdict.kind === 'refuse') {
    return connection.refuseTls(verdict.reason ?? 'filter', verdict.words)
  }
  if (verdict.kind === 'decrypt') {
    if (!door.options.authority.permits(hello.sni))
      return connection.refuseTls('host-not-permitted')
    const { proxyCredential } = verdict
    return await handToTls(door, connection, {
      host: hello.sni,
      port,
      scheme: 'https',
      mode: 'transparent',
      peer: connection.peer,
      hello,
      ...(proxyCredential === undefined ? {} : { proxyCredential }),
    })
  }
  if (hello.ech) return connection.refuseTls('ech-outer-name')
  const upstream = await connectUpstream(door, connection)
  if (typeof upstream === 'string') return connection.refuseTls(upstream)
  await runTunnel(door, connection, upstream)
}

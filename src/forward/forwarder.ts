import type { Socket } from 'node:net'
import type { World } from '#words/clock.ts'
import { readAllowed } from './addresses.ts'
import { createDialer } from './dial.ts'
import { createHttp1 } from './http1.ts'
import { createHttp2 } from './http2.ts'
import { createResolver } from './resolve.ts'
import type { LookUp } from './resolve.ts'
import type { SendRequest, Upstream } from './sending.ts'
import { upgrade } from './upgrade.ts'
import type { Upgraded, UpgradeRequest } from './upgrade.ts'

export type ForwarderStats = {
  readonly sockets: number
  readonly freeSockets: number
  readonly sessions: number
}

export type Forwarder = {
  send(request: SendRequest): Promise<Upstream>
  upgrade(request: UpgradeRequest): Promise<Upgraded>
  connect(to: { readonly host: string; readonly port: number }): Promise<Socket>
  stats(): ForwarderStats
  close(): Promise<void>
}

/**
 * Sends on what may leave, to the very address that was checked.
 *
 * Fails with `address-refused` or `upstream-unreachable`, which name the host and never a header.
 *
 * A request is tried twice only when it is certain that nobody acted on it: see `mayTryAgain` in
 * `http1.ts` and `untouched` in `http2.ts`.
 */
export function createForwarder(options: {
  readonly world: World
  readonly upstreamAddressesAllowed: readonly string[]
  /** Authorities beside the system's own. */
  readonly caPems?: readonly string[]
  /** Tests hand in a zone of their own. */
  readonly lookUp?: LookUp
}): Forwarder {
  const { world } = options
  const resolve = createResolver({
    world,
    allowed: readAllowed(options.upstreamAddressesAllowed),
    ...(options.lookUp === undefined ? {} : { lookUp: options.lookUp }),
  })
  const dialer = createDialer({ world, resolve, caPems: options.caPems ?? [] })
  const http1 = createHttp1(dialer)
  const http2 = createHttp2(world, dialer)
  return {
    async send(request) {
      if (request.http2 && request.origin.protocol === 'https:') {
        const answer = await http2.send(request)
        if (answer !== null) return answer
      }
      return http1.send(request)
    },
    upgrade: (request) => upgrade(dialer, request),
    connect: ({ host, port }) => dialer.plain(host, port),
    stats: () => ({ ...http1.stats(), sessions: http2.sessions() }),
    close() {
      http1.close()
      http2.close()
      return Promise.resolve()
    },
  }
}

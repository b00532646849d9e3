import { connect as connectTcp, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { connect as connectTls, createSecureContext, getCACertificates } from 'node:tls'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { World } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { codeOf } from './resolve.ts'
import type { Address } from './resolve.ts'

export type Dialer = {
  /** A TCP connection to the first checked address that takes it. */
  plain(host: string, port: number): Promise<Socket>
  /** The same with TLS: the certificate must be good for `host`, whatever the address was. */
  secure(host: string, port: number, protocols: readonly string[]): Promise<TLSSocket>
}

/**
 * Opens connections to upstreams.
 *
 * Fails with `upstream-unreachable` (which names the host and the system's error code) after
 * `upstreamConnectMsMax` in all, look-up and handshake included. Certificates are always verified:
 * there is no switch for it, only authorities to add.
 */
export function createDialer(options: {
  readonly world: World
  readonly resolve: (host: string, port: number) => Promise<readonly Address[]>
  readonly caPems: readonly string[]
}): Dialer {
  const { world, resolve, caPems } = options
  let context: SecureContext | null = null
  const plain = async (host: string, port: number, untilMs: number): Promise<Socket> => {
    const addresses = await within(resolve(host, port), untilMs - world.monotonicMs(), host)
    let last: unknown = null
    for (const [at, { address, family }] of addresses.entries()) {
      const leftMs = untilMs - world.monotonicMs()
      if (leftMs <= 0) break
      const shareMs = leftMs / (addresses.length - at)
      try {
        return await opened(connectTcp({ host: address, port, family, noDelay: true }), shareMs)
      } catch (cause) {
        last = cause
      }
    }
    throw unreachable(host, port, last)
  }
  return {
    plain: (host, port) => plain(host, port, world.monotonicMs() + limits.upstreamConnectMsMax),
    async secure(host, port, protocols) {
      const untilMs = world.monotonicMs() + limits.upstreamConnectMsMax
      const socket = await plain(host, port, untilMs)
      context ??= createSecureContext({
        ca: [...getCACertificates('default'), ...caPems],
        minVersion: 'TLSv1.2',
      })
      const name = host.replace(/^\[|\]$/g, '')
      const secured = connectTls({
        socket,
        host: name,
        // RFC 6066 3: a server name is never an address.
        ...(isIP(name) === 0 ? { servername: name } : {}),
        secureContext: context,
        ALPNProtocols: [...protocols],
        rejectUnauthorized: true,
      })
      try {
        return await handshaken(secured, untilMs - world.monotonicMs())
      } catch (cause) {
        socket.destroy()
        throw unreachable(host, port, cause)
      }
    },
  }
}

function opened(socket: Socket, waitMs: number): Promise<Socket> {
  return settle(socket, 'connect', waitMs)
}

function handshaken(socket: TLSSocket, waitMs: number): Promise<TLSSocket> {
  return settle(socket, 'secureConnect', waitMs)
}

function settle<S extends Socket>(socket: S, event: string, waitMs: number): Promise<S> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      socket.off(event, good)
      socket.off('error', bad)
      socket.off('close', gone)
    }
    const good = (): void => {
      end()
      resolve(socket)
    }
    const bad = (cause: Error): void => {
      end()
      socket.destroy()
      reject(cause)
    }
    const gone = (): void => bad(new Error('closed'))
    const timer = setTimeout(
      () => bad(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })),
      Math.max(1, waitMs),
    )
    socket.once(event, good)
    socket.once('error', bad)
    socket.once('close', gone)
  })
}

async function within<T>(work: Promise<T>, waitMs: number, host: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(unreachable(host, 0, 'ETIMEDOUT')), Math.max(1, waitMs))
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Names the host and what the system said; never a header, so never a credential. */
export function unreachable(host: string, port: number, cause: unknown): Fault {
  const place = port === 0 ? host : `${host}:${port}`
  return new Fault('upstream-unreachable', {
    outward: `The provider at ${place} could not be reached (${codeOf(cause)}).`,
    inward: `${place}: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  })
}

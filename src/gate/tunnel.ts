import type { Socket } from 'node:net'

/** How long one side has to take what the other left behind. */
const lastBytesMsMax = 30_000

/**
 * Copies both ways until both sides have ended, with the back-pressure of `pipe`. Resolves when
 * both sockets are closed. When neither side said anything for `idleMsMax`, it tells `onIdle` and
 * cuts both.
 */
export function tunnel(
  client: Socket,
  upstream: Socket,
  idle: { readonly msMax: number; onIdle(): void },
): Promise<void> {
  return new Promise((resolve) => {
    let open = 2
    const cut = (): void => {
      client.destroy()
      upstream.destroy()
    }
    // What goes either way passes this socket, so its silence is the silence of both.
    const onTimeout = (): void => {
      idle.onIdle()
      cut()
    }
    client.setTimeout(idle.msMax, onTimeout)
    const closed = (): void => {
      // The other side may still hold bytes that were on their way; it gets a moment, not forever.
      if (--open === 0) return resolve()
      const other = client.destroyed ? upstream : client
      other.destroySoon()
      const timer = setTimeout(() => other.destroy(), lastBytesMsMax)
      other.once('close', () => clearTimeout(timer))
    }
    upstream.on('error', () => {
      // `close` follows.
    })
    for (const side of [client, upstream]) {
      if (side.destroyed) queueMicrotask(closed)
      else side.once('close', closed)
    }
    client.pipe(upstream)
    upstream.pipe(client)
  })
}

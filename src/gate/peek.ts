import type { Socket } from 'node:net'

export type Peeked = 'ready' | 'timeout' | 'gone'

/**
 * Looks at the first bytes of a socket and puts every one of them back.
 *
 * `look` is fed each new chunk and says whether it has seen enough; it must bound itself. The
 * socket is paused when this resolves, whatever the outcome. `gone`: it ended or broke before.
 */
export function peek(
  socket: Socket,
  look: (chunk: Buffer) => boolean,
  /** All of it must be there within this time; null waits as long as the socket lives. */
  msMax: number | null,
): Promise<Peeked> {
  return new Promise((resolve) => {
    const seen: Buffer[] = []
    const finish = (outcome: Peeked): void => {
      clearTimeout(timer)
      socket.off('data', onData)
      socket.off('end', onGone)
      socket.off('close', onGone)
      socket.pause()
      if (outcome === 'ready') socket.unshift(seen.length === 1 ? seen[0] : Buffer.concat(seen))
      resolve(outcome)
    }
    const onData = (chunk: Buffer): void => {
      seen.push(chunk)
      if (look(chunk)) finish('ready')
    }
    const onGone = (): void => finish('gone')
    const timer = msMax === null ? undefined : setTimeout(() => finish('timeout'), msMax)
    if (socket.destroyed || socket.readableEnded) return finish('gone')
    socket.on('end', onGone)
    socket.on('close', onGone)
    socket.on('data', onData)
    socket.resume()
  })
}

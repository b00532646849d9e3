import type { Listening } from './base-url-door.ts'
import { openBaseUrlDoor } from './base-url-door.ts'
import type { OpenExchanges, Reconsider } from './open-streams.ts'
import type { Rooms } from './rooms.ts'

export type DoorAddresses = { readonly baseUrlPort: number; readonly tlsPort: number }

export type GateWorker = {
  readonly addresses: DoorAddresses
  close(graceMs: number): Promise<void>
}

/**
 * One worker of a gate: both doors over the same rooms, and the clock that looks after open
 * streams. `openTlsDoor` is null where the gate has no certificate authority.
 */
export async function startWorker(
  rooms: Rooms,
  open: OpenExchanges,
  options: {
    readonly host: string
    readonly baseUrlPort: number
    readonly reusePort: boolean
    readonly openTlsDoor: (() => Promise<Listening>) | null
    readonly reconsider: Reconsider
  },
): Promise<GateWorker> {
  const base = await openBaseUrlDoor(rooms, {
    host: options.host,
    port: options.baseUrlPort,
    reusePort: options.reusePort,
  })
  const tls = options.openTlsDoor === null ? null : await options.openTlsDoor()
  const noteStrangers = async (all: boolean): Promise<void> => {
    for (const draft of rooms.strangers.drain(all)) {
      await rooms.record.note(draft).catch((cause: unknown) => {
        rooms.log('error', 'strangers-not-recorded', String(cause))
      })
    }
  }
  const everySecond = setInterval(() => {
    open.reconsider(options.reconsider, rooms.world.monotonicMs())
    void noteStrangers(false)
  }, 1_000)
  everySecond.unref()
  return {
    addresses: { baseUrlPort: base.port, tlsPort: tls?.port ?? 0 },
    async close(graceMs) {
      clearInterval(everySecond)
      await Promise.all([base.close(graceMs), tls?.close(graceMs)])
      await noteStrangers(true)
    },
  }
}

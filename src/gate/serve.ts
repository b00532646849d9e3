import { isFault } from '#words/faults.ts'
import { Fault } from '#words/faults.ts'
import { pass } from './pass.ts'
import type { Reply } from './reply.ts'
import { refuseFault } from './refuse.ts'
import type { Arrival, Rooms } from './rooms.ts'

/**
 * One arrival at either door. Whatever goes wrong on the road is answered here: a fault in the
 * tool's own wire format, a bug as a 500 that says nothing of our insides. Never rejects.
 */
export async function serve(rooms: Rooms, arrival: Arrival, reply: Reply): Promise<void> {
  try {
    await pass(rooms, arrival, reply)
  } catch (cause) {
    const fault = isFault(cause)
      ? cause
      : new Fault('upstream-unreachable', { outward: 'The gate failed.', inward: String(cause) })
    rooms.strangers.saw(arrival.peer, fault.code)
    if (!isFault(cause)) {
      rooms.log(
        'error',
        'road-broken',
        cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
      )
    }
    if (reply.begun) reply.breakOff()
    else refuseFault(arrival, 'unknown', fault, reply)
    // What was not read must not be taken for the next request of this connection.
    arrival.body?.resume()
  }
}

import type { World } from '#words/clock.ts'
import type { EntryDraft } from '#words/entry.ts'
import type { FaultCode } from '#words/fault-codes.ts'
import { limits } from '#words/limits.ts'

export type Strangers = {
  /** Counts one failure of a peer. */
  saw(peer: string, code: FaultCode): void
  /** One entry for each minute that is over; with `all`, also for the one that runs. */
  drain(all?: boolean): EntryDraft[]
}

type Minute = {
  readonly startMs: number
  total: number
  readonly codes: Map<FaultCode, number>
  readonly sources: Map<string, number>
  /** Failures of sources for which there was no more room. */
  untracked: number
}

/**
 * Counts who failed at the door, by source and minute.
 *
 * A stranger can send as many bad requests as the network carries, so none of them may cost a
 * line on disk: a minute is one entry, of bounded size, whatever happens in it. Addresses are
 * personal data and stand in the private part.
 */
export function createStrangers({ world }: { readonly world: World }): Strangers {
  const minuteMs = 60_000
  const minutesHeldMax = 16
  const over: Minute[] = []
  let running: Minute | null = null
  const turn = (): Minute => {
    const startMs = Math.floor(world.nowMs() / minuteMs) * minuteMs
    if (running !== null && running.startMs === startMs) return running
    if (running !== null) over.push(running)
    // Nobody drained for a quarter of an hour: the oldest counts are joined, not lost.
    if (over.length > minutesHeldMax) join(over)
    running = { startMs, total: 0, codes: new Map(), sources: new Map(), untracked: 0 }
    return running
  }
  return {
    saw(peer, code) {
      const minute = turn()
      minute.total += 1
      minute.codes.set(code, (minute.codes.get(code) ?? 0) + 1)
      add(minute, sourceOf(peer), 1)
    },
    drain(all = false) {
      if (running !== null && (all || world.nowMs() - running.startMs >= minuteMs)) {
        over.push(running)
        running = null
      }
      return over.splice(0).map(draftOf)
    },
  }
}

function add(minute: Minute, source: string, count: number): void {
  const before = minute.sources.get(source)
  if (before !== undefined || minute.sources.size < limits.strangersTrackedMax) {
    minute.sources.set(source, (before ?? 0) + count)
  } else minute.untracked += count
}

function join(over: Minute[]): void {
  const [first, second] = over.splice(0, 2)
  if (first === undefined || second === undefined) return
  for (const [code, count] of second.codes) {
    first.codes.set(code, (first.codes.get(code) ?? 0) + count)
  }
  for (const [source, count] of second.sources) add(first, source, count)
  first.total += second.total
  first.untracked += second.untracked
  over.unshift(first)
}

function draftOf(minute: Minute): EntryDraft {
  const loudest = [...minute.sources]
    .sort((one, other) => other[1] - one[1])
    .slice(0, limits.strangerSourcesShownMax)
  return {
    kind: 'strangers',
    atMs: minute.startMs,
    subject: null,
    public: {
      minute: new Date(minute.startMs).toISOString(),
      failures: minute.total,
      sources: minute.sources.size,
      sourcesMore: minute.untracked > 0,
      codes: Object.fromEntries([...minute.codes].sort(([one], [other]) => (one < other ? -1 : 1))),
    },
    private: { loudest: JSON.stringify(Object.fromEntries(loudest)) },
  }
}

/** IPv6 by its /64, which is what one subscriber gets (RFC 6177): 2^64 addresses, one stranger. */
export function sourceOf(peer: string): string {
  const address = peer.startsWith('::ffff:') && peer.includes('.') ? peer.slice(7) : peer
  if (!address.includes(':')) return address.slice(0, 64)
  const [front = '', back] = (address.split('%')[0] as string).split('::')
  const groups = front === '' ? [] : front.split(':')
  if (back !== undefined) {
    const tail = back === '' ? [] : back.split(':')
    while (groups.length + tail.length < 8) groups.push('0')
    groups.push(...tail)
  }
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')
    .slice(0, 64)}::/64`
}

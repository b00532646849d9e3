import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { World } from '#words/clock.ts'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { addressDanger } from './addresses.ts'
import type { Allowed } from './addresses.ts'

export type Address = { readonly address: string; readonly family: number }
/** Asks the system's resolver; tests hand in their own zone. */
export type LookUp = (name: string) => Promise<readonly Address[]>

export const systemLookUp: LookUp = (name) => lookup(name, { all: true, verbatim: true })

/**
 * Resolves a name and gives only addresses that were checked, for the caller to connect to as they
 * are: there is no second look-up in which a rebinding DNS server could answer differently.
 *
 * Fails with `address-refused` when no address is left, with `upstream-unreachable` when the name
 * leads nowhere. Answers are kept for ten seconds and checked again on every use.
 */
export function createResolver(options: {
  readonly world: World
  readonly allowed: Allowed
  readonly lookUp?: LookUp
}): (host: string, port: number) => Promise<readonly Address[]> {
  const { world, allowed } = options
  const lookUp = options.lookUp ?? systemLookUp
  const answers = new Map<
    string,
    { readonly untilMs: number; readonly found: Promise<readonly Address[]> }
  >()

  const find = (name: string): Promise<readonly Address[]> => {
    const literal = isIP(name)
    if (literal !== 0) return Promise.resolve([{ address: name, family: literal }])
    const held = answers.get(name)
    if (held !== undefined && held.untilMs > world.monotonicMs()) return held.found
    const found = lookUp(name)
    // A failure is not kept: the next request asks again.
    found.catch(() => answers.delete(name))
    answers.delete(name)
    if (answers.size >= limits.resolvedNamesMax) {
      for (const oldest of answers.keys()) {
        answers.delete(oldest)
        break
      }
    }
    answers.set(name, { untilMs: world.monotonicMs() + limits.resolvedMsMax, found })
    return found
  }

  return async (host, port) => {
    const name = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
    let found: readonly Address[]
    try {
      found = await find(name.toLowerCase())
    } catch (cause) {
      throw new Fault('upstream-unreachable', {
        outward: `The name ${name} could not be resolved.`,
        inward: `look-up of ${name}: ${codeOf(cause)}`,
        cause,
      })
    }
    let danger = 'has no address'
    const checked = found.filter(({ address }) => {
      const words = addressDanger(address)
      if (words === null || allowed.has(name, address, port)) return true
      danger = `leads to an address that ${words}`
      return false
    })
    if (checked.length > 0) return checked.slice(0, limits.upstreamAddressesTriedMax)
    throw new Fault('address-refused', { outward: `The host ${name} ${danger}.` })
  }
}

export function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  return (cause as NodeJS.ErrnoException).code ?? cause.message
}

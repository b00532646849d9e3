import { Temporal } from 'temporal-polyfill'
import type { Decision, Site, When } from '#words/decision.ts'
import { Fault } from '#words/faults.ts'

/** 00:00 by the wall clock of the zone; where clocks skip midnight, the first moment of the day. */
export function localMidnightMs(date: string, timeZone: string): number {
  try {
    // `startOfDay` knows the days that begin at 01:00 (summer time that starts at midnight).
    return Temporal.PlainDate.from(date).toZonedDateTime({ timeZone }).startOfDay()
      .epochMilliseconds
  } catch (cause) {
    throw new Fault('bundle-invalid', {
      outward: `The bundle is refused: ${date} in the time zone ${timeZone} is no date.`,
      cause,
    })
  }
}

// With no site listed, the whole world: the date begins first at UTC+14 and last at UTC-12.
const firstZone = 'Etc/GMT-14'
const lastZone = 'Etc/GMT+12'

/** The earliest (`first`) and latest (`last`) instant that the words can mean at any site. */
export function spread(
  when: When,
  sites: readonly Site[],
): { readonly firstMs: number; readonly lastMs: number; readonly firstZone: string } {
  if (when.kind === 'instant') return { firstMs: when.ms, lastMs: when.ms, firstZone: 'UTC' }
  if (sites.length === 0) {
    return {
      firstMs: localMidnightMs(when.date, firstZone),
      lastMs: localMidnightMs(when.date, lastZone),
      firstZone,
    }
  }
  let firstMs = Infinity
  let lastMs = -Infinity
  let zone = 'UTC'
  for (const site of sites) {
    const ms = localMidnightMs(when.date, site.timeZone)
    if (ms < firstMs) {
      firstMs = ms
      zone = site.timeZone
    }
    lastMs = Math.max(lastMs, ms)
  }
  return { firstMs, lastMs, firstZone: zone }
}

/** When the decision is over at every site; Infinity where it has no end. */
export function latestEnd(decision: Decision, sites: readonly Site[]): number {
  const until = decision.effectiveUntil
  return Math.min(
    decision.withdrawnAtMs ?? Infinity,
    until === undefined ? Infinity : spread(until, sites).lastMs,
  )
}

const minuteForms = new Map<string, Intl.DateTimeFormat>()

/** `2026-07-10 00:00 (Asia/Shanghai)`: how a person at that site reads the instant. */
export function localText(ms: number, timeZone: string): string {
  let form = minuteForms.get(timeZone)
  if (form === undefined) {
    form = new Intl.DateTimeFormat('sv-SE', {
      timeZone,
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
    })
    if (minuteForms.size > 512) minuteForms.clear()
    minuteForms.set(timeZone, form)
  }
  return `${form.format(ms)} (${timeZone})`
}

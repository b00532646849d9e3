import { Temporal } from 'temporal-polyfill'
import { localMidnightMs } from '#decide/instants.ts'
import type { When } from '#words/decision.ts'

/** A date that is on the calendar, `YYYY-MM-DD`. */
export function isCalendarDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  try {
    Temporal.PlainDate.from(text, { overflow: 'reject' })
    return true
  } catch {
    return false
  }
}

/**
 * RFC 3339 with `Z` or an offset; null when it is not. A time without offset is never guessed at:
 * the same text would be another instant on another machine.
 */
export function parseInstant(text: string): number | null {
  if (
    !/^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:[Zz]|[+-]\d{2}:\d{2})$/.test(
      text,
    )
  ) {
    return null
  }
  const date = text.slice(0, 10)
  const ms = Date.parse(text.replace(' ', 'T').toUpperCase())
  return isCalendarDate(date) && Number.isFinite(ms) ? ms : null
}

export function parseWhen(text: string): When | null {
  if (isCalendarDate(text)) return { kind: 'local-midnight', date: text }
  const ms = parseInstant(text)
  return ms === null ? null : { kind: 'instant', ms }
}

/** The instant that a `When` is in a time zone. */
export function whenMs(when: When, timeZone: string): number {
  if (when.kind === 'instant') return when.ms
  const key = `${when.date} ${timeZone}`
  let ms = midnights.get(key)
  if (ms === undefined) {
    ms = localMidnightMs(when.date, timeZone)
    if (midnights.size >= midnightsMax) midnights.clear()
    midnights.set(key, ms)
  }
  return ms
}

// A plan asks for the same few midnights once per pair of decisions; working one out takes 20 us.
const midnightsMax = 4_096
const midnights = new Map<string, number>()

/** As it is written in a register file. */
export function whenText(when: When): string {
  return when.kind === 'instant' ? new Date(when.ms).toISOString() : when.date
}

/** For a person: `2026-07-10, 00:00 by each site's clock`. */
export function whenWords(when: When): string {
  return when.kind === 'instant'
    ? new Date(when.ms).toISOString()
    : `${when.date}, 00:00 by each site's clock`
}

export function isTimeZone(name: string): boolean {
  try {
    // Offsets such as `+08:00` pass too, and have no daylight saving: a site names a place.
    return (
      new Intl.DateTimeFormat('en', { timeZone: name }) instanceof Intl.DateTimeFormat &&
      /^[A-Z]/.test(name)
    )
  } catch {
    return false
  }
}

import { createHash, timingSafeEqual } from 'node:crypto'
import type { World } from '#words/clock.ts'
import { base32 } from '#words/ids.ts'

const linksMax = 16
const sessionsMax = 64
const lifeMs = 12 * 3_600_000

type Session = { readonly path: string; readonly secret: Buffer; readonly untilMs: number }

/**
 * Who may look at the status page: whoever holds a link that works once. All of it is in memory
 * and ends with the process.
 *
 * The cookie's `Path` is random for each session. Cookies do not tell ports apart: with `Path=/` a
 * browser would hand ours to every other server on 127.0.0.1, of whichever user.
 */
export type StatusSessions = {
  /** A new link's token; the oldest of `linksMax` unused ones stops to work. */
  makeToken(): string
  /** Takes the token and gives a session; null when it is unknown, used or old. */
  redeem(token: string): { readonly path: string; readonly cookie: string } | null
  holds(path: string, cookieHeader: string | undefined): boolean
}

export const cookieName = 'postern-status'

export function createStatusSessions(world: World): StatusSessions {
  const links = new Map<string, number>()
  const sessions = new Map<string, Session>()

  const secretText = (): string => base32(world.randomBytes(32))
  return {
    makeToken() {
      const token = secretText()
      if (links.size >= linksMax) links.delete(links.keys().next().value ?? '')
      links.set(digest(token).toString('hex'), world.nowMs() + lifeMs)
      return token
    },
    redeem(token) {
      const key = digest(token).toString('hex')
      const untilMs = links.get(key)
      links.delete(key)
      if (untilMs === undefined || untilMs < world.nowMs()) return null
      if (sessions.size >= sessionsMax) sessions.delete(sessions.keys().next().value ?? '')
      const path = base32(world.randomBytes(15))
      const secret = secretText()
      sessions.set(path, { path, secret: digest(secret), untilMs: world.nowMs() + lifeMs })
      return { path, cookie: secret }
    },
    holds(path, cookieHeader) {
      const session = sessions.get(path)
      if (session === undefined || session.untilMs < world.nowMs()) return false
      const given = (cookieHeader ?? '')
        .split(';')
        .map((pair) => pair.trim())
        .filter((pair) => pair.startsWith(`${cookieName}=`))
      const [only] = given
      // Two cookies of one name: somebody else set one; neither is believed.
      if (given.length !== 1 || only === undefined) return false
      return timingSafeEqual(digest(only.slice(cookieName.length + 1)), session.secret)
    },
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

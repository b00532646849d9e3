import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { Fault, isFault } from '#words/faults.ts'
import type { Log } from './log-port.ts'
import { statusPage, wordsPage } from './status-page.ts'
import { cookieName } from './status-sessions.ts'
import type { StatusSessions } from './status-sessions.ts'
import { styleDigest } from './status-style.ts'
import type { StatusView } from './status-view.ts'

/** Serves a path of the log's folder (`checkpoint`, `tile/…`, `receipts/…`) to who may read it. */
export type LogHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => void | Promise<void>

/**
 * The read-only pages of control on a loopback port.
 *
 * A page of somebody else in the same browser must not read them: names other than loopback's own
 * are refused (DNS rebinding), so is every request that the browser says another site began, and
 * the cookie is bound to a random path. Nothing here changes anything, so there is nothing to
 * forge. `/livez` and `/readyz` need no credential and tell one word.
 */
export function createStatusServer(input: {
  readonly sessions: StatusSessions
  readonly view: () => Promise<StatusView>
  readonly ready: () => { readonly ok: boolean; readonly words: string }
  readonly mayReadLog: (bearer: string) => boolean
  readonly serveLog: LogHandler
  readonly hosts: () => readonly string[]
  readonly log: Log
}): Server {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    setPolicies(response)
    const url = new URL(request.url ?? '/', 'http://loopback')
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return plain(response, 405, 'GET only')
    if (url.pathname === '/livez') return plain(response, 200, 'ok')
    if (url.pathname === '/readyz') {
      const { ok, words } = input.ready()
      return plain(response, ok ? 200 : 503, words)
    }
    if (!input.hosts().includes(request.headers.host ?? '')) {
      return plain(response, 421, 'This server answers to its loopback address only.')
    }
    if (url.pathname.startsWith('/log/')) {
      const bearer = /^Bearer (\S{1,200})$/.exec(request.headers.authorization ?? '')?.[1]
      if (bearer === undefined || !input.mayReadLog(bearer)) {
        response.setHeader('www-authenticate', 'Bearer')
        return plain(response, 401, 'The log is read with an auditor token.')
      }
      return input.serveLog(request, response, url.pathname.slice('/log/'.length))
    }
    if (url.pathname === '/open') return open(url, response)
    const [, path, rest] = /^\/v\/([a-z2-7]{24})\/(.*)$/.exec(url.pathname) ?? []
    if (path === undefined || rest === undefined) return noLink(response)
    if (!begunHere(request)) return plain(response, 403, 'Another page asked for this one.')
    if (!input.sessions.holds(path, request.headers.cookie)) return noLink(response)
    if (rest === '') {
      const every = Math.min(600, Math.max(0, Number(url.searchParams.get('every') ?? '0') || 0))
      return page(response, 200, statusPage(await input.view(), every > 0 ? Math.max(5, every) : 0))
    }
    if (rest.startsWith('log/')) return input.serveLog(request, response, rest.slice(4))
    return plain(response, 404, 'There is nothing here.')
  }

  function open(url: URL, response: ServerResponse): void {
    const session = input.sessions.redeem(url.searchParams.get('token') ?? '')
    if (session === null) return noLink(response)
    const path = `/v/${session.path}/`
    response.setHeader(
      'set-cookie',
      `${cookieName}=${session.cookie}; Path=${path}; HttpOnly; SameSite=Strict; Max-Age=43200`,
    )
    // A redirect would still count as begun by the other site when the link was clicked there,
    // and the browser would withhold a strict cookie. From this page on, the way is our own.
    page(response, 200, wordsPage('Postern', 'Opening the status page.', path))
  }

  return createServer({ maxHeaderSize: 16 * 1024, requestTimeout: 15_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      input.log.fault('status-request-failed', error)
      if (response.headersSent) response.destroy()
      else if (isFault(error, 'not-found')) plain(response, 404, 'There is nothing here.')
      else plain(response, 500, error instanceof Fault ? error.outward : 'See the log of control.')
    })
  })
}

/** Fetch Metadata: `none` is a person (address bar, terminal); `same-site` is another port. */
function begunHere(request: IncomingMessage): boolean {
  const site = request.headers['sec-fetch-site']
  const origin = request.headers.origin
  if (origin !== undefined && origin !== `http://${request.headers.host}`) return false
  return site === undefined || site === 'none' || site === 'same-origin'
}

function setPolicies(response: ServerResponse): void {
  response.setHeader(
    'content-security-policy',
    `default-src 'none'; style-src ${styleDigest}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  )
  response.setHeader('cache-control', 'no-store')
  response.setHeader('cross-origin-opener-policy', 'same-origin')
  response.setHeader('cross-origin-resource-policy', 'same-origin')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('x-content-type-options', 'nosniff')
}

function noLink(response: ServerResponse): void {
  const words =
    'This page opens with a link that works once. Ask for one: postern doctor --link prints it.'
  page(response, 401, wordsPage('Postern', words))
}

function page(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8' }).end(text)
}

function plain(response: ServerResponse, status: number, words: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${words}\n`)
}

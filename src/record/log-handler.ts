import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { isMissing } from '#blob/durable.ts'

/** Says who may read the log; false is a 401 without a hint. */
export type Authorize = (request: IncomingMessage) => boolean | Promise<boolean>

// A number of tlog-tiles: groups of three digits, all but the last behind an x.
const number = String.raw`(?:x\d{3}/){0,5}\d{3}`
const served = new RegExp(
  String.raw`^/(?:checkpoint|log\.vkey|receipts/nodes\.json|receipts/[a-zA-Z0-9_-]{1,80}/${number}|tile/(?:entries|[0-9]|[1-5]\d|6[0-3])/${number}(?:\.p/(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-5]))?)$`,
)

/**
 * Serves a log's folder in the tlog-tiles layout.
 *
 * Only paths that the layout has are looked up, so there is no way out of the folder (`..`, an
 * encoded slash, a link by another name). Openings and keys are not in it.
 */
export function createLogHandler(dir: string, authorize: Authorize) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    serve(dir, authorize, request, response).catch(() => {
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end()
    })
  }
}

async function serve(
  dir: string,
  authorize: Authorize,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end()
    return
  }
  if (!(await authorize(request))) {
    response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
    return
  }
  const path = request.url ?? ''
  const size = served.test(path) ? await sizeOf(join(dir, path)) : null
  if (size === null) {
    response.writeHead(404).end()
    return
  }
  const tile = path.startsWith('/tile/')
  response.writeHead(200, {
    'content-type': tile ? 'application/octet-stream' : 'text/plain; charset=utf-8',
    'content-length': size,
    // Tiles never change; the head does every second.
    'cache-control': tile ? 'private, max-age=31536000, immutable' : 'no-cache',
    'x-content-type-options': 'nosniff',
  })
  if (request.method === 'HEAD') response.end()
  else
    pipeline(createReadStream(join(dir, path), { end: Math.max(0, size - 1) }), response, () => {})
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    const found = await stat(path)
    return found.isFile() ? found.size : null
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { Fault } from '#words/faults.ts'
import type { LogHandler } from './status-server.ts'

// C2SP tlog-tiles, and our receipts beside them. Nothing else of the folder is served.
const served =
  /^(checkpoint|tile\/(\d{1,2}|entries)\/(x\d{3}\/){0,6}\d{3}(\.p\/\d{1,3})?|receipts\/nodes\.json|receipts\/[A-Za-z0-9_-]{1,80}\/(x\d{3}\/){0,6}\d{3})$/

/** Serves the log's folder. Throws `not-found` for what is not there or is no file of the log. */
export function serveLogFiles(dir: string): LogHandler {
  return async (request, response, path) => {
    if (!served.test(path)) throw new Fault('not-found', { outward: 'The log has no such file.' })
    const file = join(dir, path)
    const found = await stat(file).catch(() => null)
    if (found === null || !found.isFile()) {
      throw new Fault('not-found', { outward: 'The log has no such file.' })
    }
    const text = path === 'checkpoint'
    response.writeHead(200, {
      'content-type': text ? 'text/plain; charset=utf-8' : 'application/octet-stream',
      'content-length': found.size,
    })
    if (request.method === 'HEAD') response.end()
    else await pipeline(createReadStream(file, { end: Math.max(0, found.size - 1) }), response)
  }
}

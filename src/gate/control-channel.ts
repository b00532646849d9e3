import { request } from 'node:http'

/** What control pushes: one JSON document a line (NDJSON). */
export type Pushed =
  | { readonly kind: 'bundle'; readonly bundle: string }
  | {
      readonly kind: 'time'
      readonly ms: number
      readonly signature: string
      readonly keyId: string
    }

const lineBytesMax = 96 * 1024 * 1024
const silenceMsMax = 45_000

/**
 * The one push channel from control. It never gives up and never throws: while control is away
 * the gate goes on with the bundle it has, and this tries again with growing pauses (at most 5 s).
 */
export function openControlChannel(options: {
  readonly socketPath: string
  /** Under which control shows this gate. */
  readonly name: string
  readonly afterCounter: () => number
  readonly on: (pushed: Pushed) => void
  readonly onState: (state: 'connected' | 'away', why: string) => void
}): { close(): void } {
  let closed = false
  let pauseMs = 200
  let retry: NodeJS.Timeout | null = null
  let current: ReturnType<typeof request> | null = null

  const again = (why: string): void => {
    if (closed || retry !== null) return
    options.onState('away', why)
    retry = setTimeout(() => {
      retry = null
      open()
    }, pauseMs)
    retry.unref()
    pauseMs = Math.min(pauseMs * 2, 5_000)
  }

  const open = (): void => {
    const req = request(
      {
        socketPath: options.socketPath,
        path: `/v1/bundle?after=${options.afterCounter()}&node=${encodeURIComponent(options.name)}`,
        method: 'GET',
        headers: { accept: 'application/x-ndjson', host: 'control' },
        timeout: silenceMsMax,
      },
      (res) => {
        if (res.statusCode !== 200) {
          res.resume()
          again(`control answered ${res.statusCode}`)
          return
        }
        pauseMs = 200
        options.onState('connected', '')
        readLines(res, options.on, (why) => req.destroy(new Error(why)))
        res.once('close', () => again('the channel closed'))
      },
    )
    current = req
    req.on('timeout', () => req.destroy(new Error('control said nothing for too long')))
    req.on('error', (error) => again(error.message))
    req.end()
  }

  open()
  return {
    close() {
      closed = true
      if (retry !== null) clearTimeout(retry)
      current?.destroy()
    },
  }
}

function readLines(
  stream: NodeJS.ReadableStream,
  on: (pushed: Pushed) => void,
  fail: (why: string) => void,
): void {
  let held: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    let rest = chunk
    for (;;) {
      const end = rest.indexOf(10)
      if (end < 0) break
      held.push(rest.subarray(0, end))
      const line = Buffer.concat(held).toString('utf8').trim()
      held = []
      bytes = 0
      rest = rest.subarray(end + 1)
      if (line === '') continue
      let pushed: Pushed
      try {
        pushed = JSON.parse(line) as Pushed
      } catch {
        fail('control sent a line that is not JSON')
        return
      }
      on(pushed)
    }
    if (rest.length > 0) held.push(rest)
    bytes += rest.length
    if (bytes > lineBytesMax) fail('control sent a line above the bound')
  })
}

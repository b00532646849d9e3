import type { Socket } from 'node:net'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import { unreachable } from './dial.ts'
import type { Dialer } from './dial.ts'
import { portOf } from './sending.ts'
import { endToEndHeaders } from './headers.ts'

export type UpgradeRequest = {
  readonly target: string
  readonly rawHeaders: readonly string[]
  readonly origin: URL
  readonly signal: AbortSignal
}

export type Upgraded = {
  readonly status: number
  readonly rawHeaders: readonly string[]
  readonly socket: Socket
  /** Bytes that came behind the head: frames after a 101, else the raw body as on the wire. */
  readonly head: Buffer
}

/**
 * Passes a WebSocket handshake (RFC 6455 4) on, over a connection of its own.
 *
 * Fails with `upstream-unreachable`, also when the answer's head is not strict HTTP/1.1; any
 * status but 101 is an answer too, and is given back as it came.
 */
export async function upgrade(dialer: Dialer, request: UpgradeRequest): Promise<Upgraded> {
  const { origin, signal } = request
  const head = requestHead(request)
  const secure = origin.protocol === 'https:' || origin.protocol === 'wss:'
  const socket = secure
    ? await dialer.secure(origin.hostname, portOf(origin), ['http/1.1'])
    : await dialer.plain(origin.hostname, portOf(origin))
  const abort = (): void => {
    socket.destroy()
  }
  signal.addEventListener('abort', abort, { once: true })
  socket.once('close', () => signal.removeEventListener('abort', abort))
  if (signal.aborted) abort()
  try {
    socket.write(head, 'latin1')
    return await readHead(socket, origin)
  } catch (cause) {
    socket.destroy()
    throw cause
  }
}

function requestHead({ target, rawHeaders, origin }: UpgradeRequest): string {
  const kept = endToEndHeaders(rawHeaders, { strip: [], host: origin.host, upgrade: true })
  let text = `GET ${target} HTTP/1.1\r\n`
  for (let at = 0; at < kept.length; at += 2) text += `${kept[at]}: ${kept[at + 1]}\r\n`
  // Written by hand, so checked by hand: no value may end a line and begin another.
  const lines = kept.length / 2 + 1
  if (
    text.split('\r\n').length !== lines + 1 ||
    /[^\r]\n|\r[^\n]|\0/.test(text) ||
    / .* .* /.test(text.slice(0, text.indexOf('\r')))
  ) {
    throw new Fault('request-malformed', { outward: 'The handshake holds a line break.' })
  }
  return `${text}\r\n`
}

function readHead(socket: Socket, origin: URL): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    let held: Buffer = Buffer.alloc(0)
    const fail = (why: unknown): void => {
      end()
      reject(unreachable(origin.hostname, portOf(origin), why))
    }
    const timer = setTimeout(() => fail('no answer to the handshake'), limits.headerReadMsMax)
    const onData = (chunk: Buffer): void => {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      for (;;) {
        const stop = held.indexOf('\r\n\r\n')
        if (stop < 0) {
          if (held.length > limits.upstreamHeaderBytesMax) fail('its head is too long')
          return
        }
        const read = parseHead(held.toString('latin1', 0, stop))
        if (read === null) return fail('its head is not HTTP/1.1')
        const rest = held.subarray(stop + 4)
        if (read.status >= 200 || read.status === 101) {
          end()
          resolve({ ...read, socket, head: rest })
          return
        }
        held = rest
      }
    }
    const onClose = (): void => fail('closed before it answered')
    const end = (): void => {
      clearTimeout(timer)
      socket.pause()
      socket.off('data', onData)
      socket.off('error', fail)
      socket.off('close', onClose)
      // From here the socket is the gate's; until it listens, an error must not be a crash.
      socket.on('error', () => socket.destroy())
    }
    socket.on('data', onData)
    socket.on('error', fail)
    socket.on('close', onClose)
  })
}

function parseHead(text: string): { status: number; rawHeaders: string[] } | null {
  const [first = '', ...lines] = text.split('\r\n')
  const status = /^HTTP\/1\.1 ([1-5]\d\d)(?: [^\r\n]*)?$/.exec(first)
  if (status === null || lines.length > limits.requestHeaderCountMax) return null
  const rawHeaders: string[] = []
  for (const line of lines) {
    const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*$/.exec(line)
    if (parts === null) return null
    rawHeaders.push(parts[1] as string, parts[2] as string)
  }
  return { status: Number(status[1]), rawHeaders }
}

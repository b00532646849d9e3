import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { OpenEntry } from '#words/entry.ts'
import { Fault, isFault } from '#words/faults.ts'
import { mayLeave } from '#words/verdict.ts'
import type { Verdict } from '#words/verdict.ts'
import { refuse, refuseWebSocket } from '#wire/refusal.ts'
import { openSide } from './frames.ts'
import { findHeader, withoutHeaders } from './headers.ts'
import { exchangeOf } from './pass.ts'
import { outcomeOf, statusOfFault } from './refuse.ts'
import type { Arrival, Identified, Rooms } from './rooms.ts'
import { converse } from './ws-converse.ts'

/**
 * A WebSocket through the gate. The upgrade is an exchange, and each message of the client is one
 * again, with a verdict of its own: a socket that was opened before a ban is governed after it.
 *
 * Fails closed: a refused upgrade is accepted here and not upstream, because clients retry a
 * refused handshake for minutes; its first message is then answered with the refusal.
 */
export async function serveWebSocket(
  rooms: Rooms,
  arrival: Arrival,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  socket.on('error', () => {
    // The peer went away; every later write finds the socket destroyed.
  })
  socket.pause()
  try {
    if (!isWebSocket(arrival.rawHeaders)) throw notWebSocket()
    const who = rooms.identify(arrival)
    const exchange = exchangeOf(rooms, arrival, empty, empty)
    const content = rooms.inspect(exchange, who.caller.credential)
    const verdict = rooms.decide(exchange, who.caller, content)
    await using entry = await rooms.record.open(exchange, who.caller, content, verdict)
    if (mayLeave(verdict)) await joinUpstream(rooms, arrival, who, socket, head, entry)
    else if (exchange.purpose === 'unknown') refuseUpgrade(arrival, socket, verdict, entry)
    else refuseInside(rooms, arrival, who, req, socket, head, verdict, entry)
  } catch (cause) {
    refuseBroken(rooms, arrival, socket, cause)
  }
}

const empty = Buffer.alloc(0)

async function joinUpstream(
  rooms: Rooms,
  arrival: Arrival,
  who: Identified,
  socket: Duplex,
  head: Buffer,
  entry: OpenEntry,
): Promise<void> {
  const abort = new AbortController()
  socket.once('close', () => abort.abort())
  const upstream = await rooms.forward.upgrade({
    target: arrival.target,
    // No extension is offered: a compressed frame could not be read.
    rawHeaders: withoutHeaders(
      arrival.rawHeaders,
      new Set([...who.strip, 'sec-websocket-extensions']),
    ),
    origin: arrival.origin,
    signal: abort.signal,
  })
  // The provider answered the client's own key, so its answer passes as it is.
  writeHead(socket, upstream.status, upstream.rawHeaders)
  if (upstream.status !== 101) {
    socket.write(upstream.head)
    upstream.socket.pipe(socket)
    entry.close(outcomeOf({ result: 'answered', status: upstream.status }))
    return
  }
  await converse(rooms, { arrival, who, entry }, { socket, head }, upstream)
}

/** What we do not know is turned down plainly; 426 sends Codex to HTTPS at once. */
function refuseUpgrade(arrival: Arrival, socket: Duplex, verdict: Verdict, entry: OpenEntry): void {
  const answer = refuse({
    wire: arrival.route.wire,
    door: arrival.door,
    transport: 'http',
    tool: 'unknown',
    stream: false,
    message: verdict.message,
  })
  writeHead(socket, 426, [
    'connection',
    'close',
    'content-type',
    'application/json',
    'content-length',
    String(answer.body.length),
  ])
  socket.end(answer.body)
  entry.close(outcomeOf({ result: 'refused', status: 426 }))
}

function refuseInside(
  rooms: Rooms,
  arrival: Arrival,
  who: Identified,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  verdict: Verdict,
  entry: OpenEntry,
): void {
  const key = req.headers['sec-websocket-key'] ?? ''
  // RFC 6455 4.2.2: the fixed GUID proves that the server understood the handshake.
  const accept = createHash('sha1')
    .update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  writeHead(socket, 101, [
    'Upgrade',
    'websocket',
    'Connection',
    'Upgrade',
    'Sec-WebSocket-Accept',
    accept,
  ])
  entry.close(outcomeOf({ result: 'refused', status: 101 }))
  let answered = false
  const side = openSide(socket, head, true, {
    message(payload) {
      if (answered) return
      answered = true
      void (async () => {
        const exchange = exchangeOf(rooms, arrival, payload, payload)
        const content = rooms.inspect(exchange, who.caller.credential)
        const again = rooms.decide(exchange, who.caller, content)
        const said = mayLeave(again) ? verdict : again
        await using own = await rooms.record.open(exchange, who.caller, content, said)
        const answer = refuseWebSocket({ wire: arrival.route.wire, message: said.message })
        for (const frame of answer.frames) side.send(Buffer.from(frame), false)
        side.close(answer.closeCode, answer.closeReason)
        own.close(
          outcomeOf({ result: 'refused', status: answer.closeCode, bytesUp: payload.length }),
        )
      })().catch((cause: unknown) => {
        rooms.log('error', 'websocket-refusal-broken', String(cause))
        side.destroy()
      })
    },
    ping: (payload) => side.pong(payload),
    pong: () => {},
    close: (code) => side.close(code, ''),
    gone: () => {},
  })
  setTimeout(() => side.close(1000, ''), 30_000).unref()
}

function refuseBroken(rooms: Rooms, arrival: Arrival, socket: Duplex, cause: unknown): void {
  const fault = isFault(cause)
    ? cause
    : new Fault('upstream-unreachable', { outward: 'The gate failed.', inward: String(cause) })
  rooms.strangers.saw(arrival.peer, fault.code)
  if (!isFault(cause)) rooms.log('error', 'websocket-broken', String(cause))
  if (!socket.writable) return
  const answer = refuse({
    wire: arrival.route.wire,
    door: arrival.door,
    transport: 'http',
    tool: 'unknown',
    stream: false,
    message: `Postern: ${fault.outward} ${fault.advice}`,
    status: statusOfFault(fault),
  })
  writeHead(socket, statusOfFault(fault), [
    'connection',
    'close',
    'content-type',
    'application/json',
    'content-length',
    String(answer.body.length),
  ])
  socket.end(answer.body)
}

const reasons: Readonly<Record<number, string>> = {
  101: 'Switching Protocols',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  426: 'Upgrade Required',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
}

function writeHead(socket: Duplex, status: number, rawHeaders: readonly string[]): void {
  let text = `HTTP/1.1 ${status} ${reasons[status] ?? 'Error'}\r\n`
  for (let at = 0; at < rawHeaders.length; at += 2) {
    text += `${rawHeaders[at] as string}: ${rawHeaders[at + 1] as string}\r\n`
  }
  if (!socket.destroyed) socket.write(`${text}\r\n`, 'latin1')
}

function notWebSocket(): Fault {
  return new Fault('request-malformed', {
    outward: 'The gate upgrades to WebSocket version 13 and to nothing else.',
  })
}

/** Is this an upgrade that we can serve? Another protocol could not be read message by message. */
function isWebSocket(rawHeaders: readonly string[]): boolean {
  return (
    findHeader(rawHeaders, 'upgrade')?.toLowerCase() === 'websocket' &&
    findHeader(rawHeaders, 'sec-websocket-version') === '13'
  )
}

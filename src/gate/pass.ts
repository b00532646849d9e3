import type { Exchange } from '#words/exchange.ts'
import type { ExchangeId } from '#words/ids.ts'
import { mayLeave } from '#words/verdict.ts'
import { bodyTooLarge, decodeBody, readBody } from './body.ts'
import { contentLength, findHeader } from './headers.ts'
import type { Hold } from './in-flight.ts'
import type { Reply } from './reply.ts'
import { refuseVerdict } from './refuse.ts'
import type { Arrival, Rooms } from './rooms.ts'
import { sendOn } from './send-on.ts'

/**
 * Walks one request through the gate: the main road.
 *
 * Fails closed: a throw before `sendOn` means that nothing has left the building, and the door
 * answers with the fault in the tool's own wire format.
 */
export async function pass(rooms: Rooms, arrival: Arrival, reply: Reply): Promise<void> {
  const who = rooms.identify(arrival)

  // Nothing of a stranger is read, and nobody's bytes are read before there is room for them.
  const announced = contentLength(arrival.rawHeaders) ?? 0
  // Before the wait for room: one absurd length must not hold up everyone behind it.
  if (announced > rooms.requestBodyBytesMax) throw bodyTooLarge(rooms.requestBodyBytesMax)
  using hold = await rooms.inFlight.hold(announced)
  const exchange = await receive(rooms, arrival, hold)

  const content = rooms.inspect(exchange, who.caller.credential)
  const verdict = rooms.decide(exchange, who.caller, content)

  // Durable before anything leaves, and closed however this function ends.
  await using entry = await rooms.record.open(exchange, who.caller, content, verdict)
  if (!mayLeave(verdict)) return refuseVerdict(exchange, who.caller, content, verdict, reply, entry)

  // Returns when the last byte is out: the entry closes with what really happened.
  await sendOn(rooms, { arrival, exchange, who, content, verdict }, reply, entry)
}

/** The exchange: the whole request, and a copy of its body that can be read. */
export async function receive(rooms: Rooms, arrival: Arrival, hold: Hold): Promise<Exchange> {
  const { rawHeaders } = arrival
  arrival.goOn()
  const body =
    arrival.body === null
      ? empty
      : await readBody(arrival.body, contentLength(rawHeaders), hold, rooms.requestBodyBytesMax)
  const encoding = findHeader(rawHeaders, 'content-encoding')
  const readable = encoding === undefined ? body : await decodeBody(body, encoding)
  return exchangeOf(rooms, arrival, body, readable)
}

export function exchangeOf(
  rooms: Rooms,
  arrival: Arrival,
  body: Buffer,
  readable: Buffer,
): Exchange {
  const { route } = arrival
  return {
    id: exchangeId(rooms),
    door: arrival.door,
    transport: arrival.transport,
    atMs: rooms.policyNowMs(),
    method: arrival.method,
    target: arrival.target,
    host: arrival.host,
    provider: route.provider,
    purpose: route.purpose,
    wire: route.wire,
    ...(route.unknownBecause === undefined ? {} : { unknownBecause: route.unknownBecause }),
    rawHeaders: arrival.rawHeaders,
    body,
    readable,
    peer: arrival.peer,
  }
}

const empty = Buffer.alloc(0)
const letters = 'abcdefghijklmnopqrstuvwxyz234567'

/** 100 random bits: guessing a reference tells nothing, and two never meet. */
function exchangeId(rooms: Rooms): ExchangeId {
  let id = 'ex_'
  for (const byte of rooms.world.randomBytes(20)) id += letters[byte & 31]
  return id as ExchangeId
}

import type { Duplex, Writable } from 'node:stream'
import * as ws from 'ws'
import { limits } from '#words/limits.ts'

type Callback = (() => void) | undefined
type SendOptions = { binary: boolean; compress: boolean; fin: boolean; mask: boolean }

/** The two halves of `ws` that its types leave out: exported by its module, documented in code. */
type Parts = {
  readonly Receiver: new (options: {
    isServer: boolean
    maxPayload: number
    binaryType: 'nodebuffer'
    extensions: object
    allowSynchronousEvents: boolean
    skipUTF8Validation: boolean
  }) => Writable
  readonly Sender: new (
    socket: Duplex,
    extensions: object,
  ) => {
    send(payload: Buffer, options: SendOptions, done: Callback): void
    ping(payload: Buffer, mask: boolean, done: Callback): void
    pong(payload: Buffer, mask: boolean, done: Callback): void
    close(code: number | undefined, reason: string, mask: boolean, done: Callback): void
  }
}
const { Receiver, Sender } = ws as unknown as Parts

/**
 * One side of a WebSocket whose handshake is done (RFC 6455), without extensions: payloads pass
 * as they are, framing and masking are each side's own.
 */
export type FrameSide = {
  send(payload: Buffer, binary: boolean): boolean
  ping(payload: Buffer): void
  pong(payload: Buffer): void
  close(code: number, reason: string): void
  destroy(): void
  pause(): void
  resume(): void
}

export type FrameEvents = {
  message(payload: Buffer, binary: boolean): void
  ping(payload: Buffer): void
  pong(payload: Buffer): void
  /** The peer said close (1005: without a code), or its bytes were not WebSocket (1002, 1009). */
  close(code: number, reason: string): void
  gone(): void
}

/** `asServer`: the peer is the client, so it masks and we do not. */
export function openSide(
  socket: Duplex,
  head: Buffer,
  asServer: boolean,
  on: FrameEvents,
): FrameSide {
  const receiver = new Receiver({
    isServer: asServer,
    maxPayload: limits.webSocketMessageBytesMax,
    binaryType: 'nodebuffer',
    extensions: {},
    allowSynchronousEvents: true,
    skipUTF8Validation: false,
  })
  const sender = new Sender(socket, {})
  const mask = !asServer
  let closed = false
  receiver.on('message', (data: Buffer, binary: boolean) => on.message(data, binary))
  receiver.on('ping', (data: Buffer) => on.ping(data))
  receiver.on('pong', (data: Buffer) => on.pong(data))
  receiver.on('conclude', (code: number, reason: Buffer) => on.close(code, reason.toString('utf8')))
  receiver.on('error', (error: Error & { code?: string }) => {
    on.close(error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 1009 : 1002, 'protocol error')
  })
  socket.pause()
  socket.on('data', (chunk: Buffer) => {
    if (!receiver.write(chunk)) {
      socket.pause()
      receiver.once('drain', () => socket.resume())
    }
  })
  socket.on('error', () => {
    // `close` follows and is what counts.
  })
  socket.once('close', () => on.gone())
  // Not before the caller has this side in hand: a peer may have sent a message, or nonsense,
  // together with its handshake, and the answer to it goes through what is returned here.
  setImmediate(() => {
    if (socket.destroyed) return
    if (head.length > 0) receiver.write(head)
    socket.resume()
  })
  return {
    send(payload, binary) {
      if (closed || socket.destroyed) return true
      sender.send(payload, { binary, compress: false, fin: true, mask }, undefined)
      return socket.writableLength < 1024 * 1024
    },
    ping: (payload) => void (socket.destroyed || sender.ping(payload, mask, undefined)),
    pong: (payload) => void (socket.destroyed || sender.pong(payload, mask, undefined)),
    close(code, reason) {
      if (closed || socket.destroyed) return
      closed = true
      // 1005 and 1006 are never sent, they only tell that nothing was (RFC 6455 7.4.1).
      sender.close(code === 1005 || code === 1006 ? undefined : code, reason, mask, () =>
        socket.end(),
      )
      setTimeout(() => socket.destroy(), 2_000).unref()
    },
    destroy: () => void socket.destroy(),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
  }
}

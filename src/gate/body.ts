import { brotliDecompress, gunzip, inflate, inflateRaw, zstdDecompress } from 'node:zlib'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { Fault } from '#words/faults.ts'
import { limits } from '#words/limits.ts'
import type { Hold } from './in-flight.ts'

/**
 * Reads a request body whole: nothing leaves before the verdict, and the verdict needs all of it.
 *
 * Throws `body-too-large` above the bound, `request-malformed` when the client breaks off or sends
 * another length than it announced. The hold has taken `announced` bytes already.
 */
export async function readBody(
  stream: Readable,
  announced: number | null,
  hold: Hold,
  bytesMax: number,
): Promise<Buffer> {
  if (announced !== null && announced > bytesMax) throw bodyTooLarge(bytesMax)
  return announced === null
    ? await readUnannounced(stream, hold, bytesMax)
    : await readAnnounced(stream, announced)
}

function readAnnounced(stream: Readable, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    // One buffer of the announced length: no list of chunks that is copied once more.
    const body = Buffer.allocUnsafeSlow(length)
    let at = 0
    collect(stream, reject, {
      data(chunk) {
        if (at + chunk.length > length) return false
        chunk.copy(body, at)
        at += chunk.length
        return true
      },
      end() {
        if (at === length) resolve(body)
        else reject(brokenOff())
      },
    })
  })
}

function readUnannounced(stream: Readable, hold: Hold, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let grown = Promise.resolve()
    collect(stream, reject, {
      data(chunk) {
        bytes += chunk.length
        if (bytes > bytesMax) return false
        chunks.push(chunk)
        stream.pause()
        grown = grown.then(() => hold.grow(chunk.length))
        grown.then(() => stream.resume(), reject)
        return true
      },
      end() {
        grown.then(() => resolve(Buffer.concat(chunks, bytes)), reject)
      },
    })
  })
}

function collect(
  stream: Readable,
  reject: (why: Fault) => void,
  on: { data(chunk: Buffer): boolean; end(): void },
): void {
  const data = (chunk: Buffer): void => {
    if (on.data(chunk)) return
    stop()
    reject(bodyTooLarge(limits.requestBodyBytesMax))
  }
  const end = (): void => {
    stop()
    on.end()
  }
  const broken = (): void => {
    stop()
    reject(brokenOff())
  }
  const stop = (): void => {
    stream.off('data', data)
    stream.off('end', end)
    stream.off('aborted', broken)
    stream.off('close', broken)
    // A late error of a stream that we have let go of must not end the process.
    stream.on('error', ignoreLate)
    stream.off('error', broken)
  }
  stream.on('data', data)
  stream.on('end', end)
  stream.on('close', broken)
  stream.on('error', broken)
}

function ignoreLate(): void {}

export function bodyTooLarge(bytesMax: number): Fault {
  return new Fault('body-too-large', {
    outward: `The request body is larger than ${Math.floor(bytesMax / 1024 / 1024)} MiB.`,
  })
}

function brokenOff(): Fault {
  return new Fault('request-malformed', {
    outward: 'The request ended before all of its body was there.',
  })
}

type Options = { readonly maxOutputLength: number }
const decoders: Readonly<Record<string, (bytes: Buffer, options: Options) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  zstd: promisify(zstdDecompress),
  // RFC 9110 8.4.1.2: `deflate` is the zlib format; some clients send it raw.
  deflate: async (bytes, options) =>
    await promisify(inflate)(bytes, options).catch(
      async () => await promisify(inflateRaw)(bytes, options),
    ),
}

/**
 * The body as it is to be read. The original is what is forwarded; this copy is only looked at.
 *
 * Throws `request-malformed` for an encoding that we cannot undo (what we cannot read we do not
 * forward), and `body-too-large` for one that unpacks to more than the bound: a compression bomb.
 */
export async function decodeBody(body: Buffer, contentEncoding: string): Promise<Buffer> {
  const encodings = contentEncoding
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '' && name !== 'identity')
  if (encodings.length === 0) return body
  if (encodings.length > 2) throw cannotRead(contentEncoding)
  let readable = body
  for (const encoding of encodings.toReversed()) {
    const decode = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined
    if (decode === undefined) throw cannotRead(contentEncoding)
    const maxOutputLength = Math.min(
      limits.decodedBodyBytesMax,
      Math.max(64 * 1024, body.length * limits.decodedRatioMax),
    )
    try {
      readable = await decode(readable, { maxOutputLength })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
        throw new Fault('body-too-large', {
          outward: `The request body unpacks to more than ${maxOutputLength} bytes.`,
          cause,
        })
      }
      throw cannotRead(contentEncoding, cause)
    }
  }
  return readable
}

function cannotRead(contentEncoding: string, cause?: unknown): Fault {
  return new Fault('request-malformed', {
    outward: `The gate cannot read a body with content-encoding "${contentEncoding.slice(0, 60)}".`,
    cause,
  })
}

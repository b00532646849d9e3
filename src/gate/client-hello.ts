import { createHash } from 'node:crypto'
import { readHostName } from './host-name.ts'

/** What a client says of itself before anything is encrypted. */
export type ClientHello = {
  /** The server name, checked and in lower case; null when there is none or it is not a name. */
  readonly sni: string | null
  readonly alpn: readonly string[]
  /** Encrypted Client Hello is offered (RFC 9849): `sni` may be an outer name only. */
  readonly ech: boolean
  /** Fingerprint in the JA4 form, of the sorted ciphers and extensions: how, not who. */
  readonly ja4: string
}

export type HelloState =
  | { readonly kind: 'more' }
  /** The first bytes are not a TLS handshake record. */
  | { readonly kind: 'not-tls' }
  | { readonly kind: 'broken'; readonly why: string }
  | { readonly kind: 'hello'; readonly hello: ClientHello }

/** Larger than any ClientHello with post-quantum key shares, small enough to be held by thousands. */
export const helloBytesMax = 64 * 1024

const more: HelloState = { kind: 'more' }
const handshakeRecord = 22
const clientHelloMessage = 1
/** RFC 8446 5.1: 2^14 bytes of plaintext in a record. */
const recordBytesMax = 16_384

/**
 * Reads a ClientHello that arrives in any number of TCP segments and TLS records.
 *
 * Never throws and never reads outside what it was given: everything that does not fit is
 * `broken`. Work and memory are linear in the bytes fed, however small the pieces are.
 */
export class HelloReader {
  #raw: Buffer = Buffer.alloc(0)
  #rawLength = 0
  /** Where the next record begins. */
  #at = 0
  #message: Buffer = Buffer.alloc(0)
  #messageLength = 0
  #state: HelloState = more

  /** All bytes fed so far, as they came. */
  get bytes(): Buffer {
    return this.#raw.subarray(0, this.#rawLength)
  }

  feed(chunk: Buffer): HelloState {
    this.#raw = append(this.#raw, this.#rawLength, chunk)
    this.#rawLength += chunk.length
    if (this.#state.kind === 'more') this.#state = this.#advance()
    return this.#state
  }

  #advance(): HelloState {
    const raw = this.bytes
    if (raw.length > 0 && raw[0] !== handshakeRecord) return { kind: 'not-tls' }
    while (this.#at + 5 <= raw.length) {
      const length = raw.readUInt16BE(this.#at + 3)
      if (raw[this.#at] !== handshakeRecord) return broken('another record inside the hello')
      if (raw[this.#at + 1] !== 3) return broken('not a TLS version')
      // RFC 8446 5.1: no handshake record is empty; a flood of them would never end.
      if (length === 0 || length > recordBytesMax) return broken('record length')
      const end = this.#at + 5 + length
      if (end > raw.length) break
      const piece = raw.subarray(this.#at + 5, end)
      this.#message = append(this.#message, this.#messageLength, piece)
      this.#messageLength += piece.length
      this.#at = end
      const state = this.#complete()
      if (state.kind !== 'more') return state
    }
    return raw.length > helloBytesMax ? broken('too long') : more
  }

  #complete(): HelloState {
    const message = this.#message.subarray(0, this.#messageLength)
    if (message[0] !== clientHelloMessage) return broken('not a ClientHello')
    if (message.length < 4) return more
    const length = message.readUIntBE(1, 3)
    if (length > helloBytesMax) return broken('too long')
    if (message.length < 4 + length) return more
    // Nothing may follow: the next handshake message needs an answer first.
    if (message.length > 4 + length) return broken('bytes behind the hello')
    const hello = readHello(message.subarray(4))
    return typeof hello === 'string' ? broken(hello) : { kind: 'hello', hello }
  }
}

function broken(why: string): HelloState {
  return { kind: 'broken', why }
}

/** Doubles, so that a byte at a time costs no more than all at once. */
function append(buffer: Buffer, used: number, chunk: Buffer): Buffer {
  if (used === 0 && chunk.length > 0) return Buffer.from(chunk)
  if (used + chunk.length <= buffer.length) {
    chunk.copy(buffer, used)
    return buffer
  }
  const grown = Buffer.alloc(Math.max(2 * buffer.length, used + chunk.length))
  buffer.copy(grown, 0, 0, used)
  chunk.copy(grown, used)
  return grown
}

/** A window over bytes. Any read past its end makes it `failed`, and all later reads empty. */
class Window {
  failed = false
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.failed ? 0 : this.#bytes.length - this.#at
  }

  number(size: 1 | 2): number {
    if (this.left < size) {
      this.failed = true
      return 0
    }
    const value = this.#bytes.readUIntBE(this.#at, size)
    this.#at += size
    return value
  }

  take(length: number): Buffer {
    if (this.left < length) {
      this.failed = true
      return Buffer.alloc(0)
    }
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A vector with its length in front (RFC 8446 3.4). */
  vector(size: 1 | 2): Window {
    return new Window(this.take(this.number(size)))
  }

  numbers(): number[] {
    const values: number[] = []
    while (this.left > 0) values.push(this.number(2))
    return values
  }
}

const extension = {
  serverName: 0,
  signatureAlgorithms: 13,
  alpn: 16,
  supportedVersions: 43,
  encryptedClientHello: 0xfe0d,
} as const

/** RFC 8446 4.1.2. The hello, or what is wrong with it. */
function readHello(body: Buffer): ClientHello | string {
  const window = new Window(body)
  const legacyVersion = window.number(2)
  window.take(32)
  window.vector(1)
  const cipherList = window.vector(2)
  const ciphers = cipherList.numbers()
  window.vector(1)
  const extensions = new Map<number, Buffer>()
  if (window.left > 0) {
    const list = window.vector(2)
    while (list.left > 0) {
      const kind = list.number(2)
      const content = list.take(list.number(2))
      // RFC 8446 4.2: none twice. Two names would be one for us and one for the server.
      if (extensions.has(kind)) return 'an extension comes twice'
      extensions.set(kind, content)
    }
    if (list.failed) return 'extensions are cut short'
  }
  if (window.failed || window.left > 0 || cipherList.failed || ciphers.length === 0) {
    return 'malformed'
  }
  const sni = readServerName(extensions.get(extension.serverName))
  if (sni === undefined) return 'malformed server name'
  const alpn = readAlpn(extensions.get(extension.alpn))
  if (alpn === undefined) return 'malformed ALPN'
  return {
    sni,
    alpn,
    ech: extensions.has(extension.encryptedClientHello),
    ja4: ja4({ legacyVersion, ciphers, extensions, sni, alpn }),
  }
}

/** RFC 6066 3. Null: no name. Undefined: malformed, or a name that is not one. */
function readServerName(content: Buffer | undefined): string | null | undefined {
  if (content === undefined) return null
  const outer = new Window(content)
  const list = outer.vector(2)
  const kind = list.number(1)
  const name = list.vector(2)
  const bytes = name.take(name.left)
  if (outer.failed || list.failed || outer.left > 0 || list.left > 0 || kind !== 0) return undefined
  return readHostName(bytes.toString('latin1')) ?? undefined
}

function readAlpn(content: Buffer | undefined): string[] | undefined {
  if (content === undefined) return []
  const outer = new Window(content)
  const list = outer.vector(2)
  const names: string[] = []
  while (list.left > 0) {
    const name = list.vector(1)
    const bytes = name.take(name.left)
    if (list.failed || bytes.length === 0) return undefined
    names.push(bytes.toString('latin1'))
  }
  return outer.failed || outer.left > 0 ? undefined : names
}

/** Reserved values that clients sprinkle in to keep servers honest (RFC 8701). */
function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff)
}

function ja4(hello: {
  readonly legacyVersion: number
  readonly ciphers: readonly number[]
  readonly extensions: ReadonlyMap<number, Buffer>
  readonly sni: string | null
  readonly alpn: readonly string[]
}): string {
  const ciphers = hello.ciphers.filter((value) => !isGrease(value)).map(hex4)
  const kinds = [...hello.extensions.keys()].filter((value) => !isGrease(value))
  const hashed = kinds
    .filter((kind) => kind !== extension.serverName && kind !== extension.alpn)
    .map(hex4)
    .sort()
  const algorithms = listIn(hello.extensions.get(extension.signatureAlgorithms), 2)
    .filter((value) => !isGrease(value))
    .map(hex4)
  const version = Math.max(
    hello.legacyVersion,
    ...listIn(hello.extensions.get(extension.supportedVersions), 1).filter(
      (value) => !isGrease(value),
    ),
  )
  const head = [
    't',
    versionNames.get(version) ?? '00',
    hello.sni === null ? 'i' : 'd',
    String(Math.min(ciphers.length, 99)).padStart(2, '0'),
    String(Math.min(kinds.length, 99)).padStart(2, '0'),
    firstAndLast(hello.alpn[0]),
  ].join('')
  const tail = algorithms.length > 0 ? `_${algorithms.join(',')}` : ''
  return `${head}_${digest12(ciphers.sort().join(','))}_${digest12(hashed.join(',') + tail)}`
}

const versionNames: ReadonlyMap<number, string> = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
])

function listIn(content: Buffer | undefined, size: 1 | 2): number[] {
  if (content === undefined) return []
  const list = new Window(content).vector(size)
  const values = list.numbers()
  return list.failed ? [] : values
}

function hex4(value: number): string {
  return value.toString(16).padStart(4, '0')
}

function firstAndLast(name: string | undefined): string {
  if (name === undefined) return '00'
  const ends = `${name[0] as string}${name.at(-1) as string}`
  return /^[0-9A-Za-z]{2}$/.test(ends) ? ends : '99'
}

function digest12(text: string): string {
  if (text === '') return '000000000000'
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}

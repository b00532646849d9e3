import type { Chance } from './fuzz-chance.ts'
import { fuzzBody } from './fuzz-bodies.ts'

/** One attack as the bytes of a connection, and how to write them. */
export type Thrown = {
  readonly bytes: Buffer
  /** Write in pieces with pauses, and give up before the end. */
  readonly slow: boolean
}

export type Tokens = { readonly good: string; readonly other: string }

const paths = [
  '/anthropic/v1/messages',
  '/openai/v1/responses',
  '/anthropic/v1/messages/count_tokens',
]
const oddPaths = [
  '/anthropic/v1/%6dessages',
  '/anthropic//v1/messages',
  '/anthropic/v1/../v1/messages',
  '/anthropic/v1/messages%2f',
  '/openai/v1/models',
  '/anthropic/v1/files',
  '/',
  '/nowhere/x',
  '/openai/v1/responses/%00',
  '/anthropic',
]
const methods = [
  'POST',
  'POST',
  'POST',
  'POST',
  'POST',
  'GET',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'PROPFIND',
]

/**
 * One exchange. `id` stands in the query, so that provider and log can be compared; a request that
 * is hidden inside another one carries `hidden-` before it, and must never be seen anywhere.
 */
export function fuzzRequest(chance: Chance, id: string, tokens: Tokens): Thrown {
  const slow = chance.below(200) === 0
  if (chance.below(20) === 0) return { bytes: noHttp(chance, id, tokens), slow }
  const usual = chance.below(10) !== 0
  const path = usual ? chance.of(paths) : chance.of(oddPaths)
  const answer = chance.below(4) === 0 ? `&answer=${chance.below(12)}` : ''
  const { body, encoding } = fuzzBody(chance)
  const line = `${usual ? 'POST' : chance.of(methods)} ${path}?fuzz=${id}${answer} HTTP/1.1\r\n`
  const headers = [
    'Host: gate',
    'User-Agent: claude-cli/2.1.330 (external, cli)',
    ...credentials(chance, tokens),
  ]
  headers.push(
    `Content-Type: ${chance.below(20) === 0 ? chance.of(['text/plain', '', 'application/json; charset=utf-16']) : 'application/json'}`,
  )
  if (encoding !== '') headers.push(`Content-Encoding: ${encoding}`)
  if (chance.below(12) === 0) headers.push(...oddHeaders(chance))
  const framed = frame(chance, body, id, tokens)
  if (chance.below(8) !== 0) headers.push('Connection: close')
  headers.push(...framed.headers)
  const head = Buffer.from(
    `${line}${headers.join(framed.lineEnd)}${framed.lineEnd}${framed.lineEnd}`,
    'latin1',
  )
  return { bytes: Buffer.concat([head, framed.body]), slow }
}

function credentials(chance: Chance, { good, other }: Tokens): string[] {
  const flipped = good.slice(0, 4 + chance.below(52)) + chance.of(['a', 'b', '7', ''])
  switch (chance.below(24)) {
    case 0:
      return []
    case 1:
      return [`x-api-key: ${flipped}`]
    case 2:
      return [`x-api-key: ${good}`, `authorization: Bearer ${other}`]
    case 3:
      return [
        `authorization: Bearer psl_${chance.bytes(40).toString('base64url')}.e30.${chance.bytes(64).toString('base64url')}`,
      ]
    case 4:
      return [`proxy-authorization: Basic ${chance.bytes(60).toString('base64')}`]
    case 5:
      return [`x-postern-token: ${'pst_'.repeat(chance.below(400))}`]
    case 6:
      return [`x-api-key: ${good}`, 'authorization: Bearer ghp_0123456789']
    case 7:
      return [`authorization: Bearer ${good}`]
    default:
      return [`x-api-key: ${good}`]
  }
}

function oddHeaders(chance: Chance): string[] {
  switch (chance.below(8)) {
    case 0:
      return [`x-long: ${'a'.repeat(chance.below(100_000))}`]
    case 1:
      return Array.from({ length: chance.below(600) }, (_, at) => `x-${at}: ${at}`)
    case 2:
      return ['x-fold: a\r\n  b']
    case 3:
      return [`x-control: a${chance.of(['\0', '\x01', '\x7f', '\xff', '\r'])}b`]
    case 4:
      return [`x y: 1`, ': empty', 'novalue']
    case 5:
      return ['Expect: 100-continue']
    case 6:
      return [
        'Connection: x-api-key, host, content-length',
        'Upgrade: h2c',
        'HTTP2-Settings: AAMAAABk',
      ]
    default:
      return [
        'Host: 169.254.169.254',
        'X-Forwarded-Host: evil',
        'Trailer: x-api-key',
        'TE: trailers, gzip',
      ]
  }
}

type Framed = { readonly headers: string[]; readonly body: Buffer; readonly lineEnd: string }

function frame(chance: Chance, body: Buffer, id: string, { good }: Tokens): Framed {
  const lineEnd = '\r\n'
  const length = `Content-Length: ${body.length}`
  const chunked = Buffer.concat([
    Buffer.from(`${body.length.toString(16)}\r\n`),
    body,
    Buffer.from('\r\n0\r\n\r\n'),
  ])
  const hidden = Buffer.from(
    `POST /anthropic/v1/messages?fuzz=hidden-${id} HTTP/1.1\r\nHost: x\r\nx-api-key: ${good}\r\nContent-Length: 2\r\n\r\n{}`,
  )
  const hiding = Buffer.concat([Buffer.from('0\r\n\r\n'), hidden])
  switch (chance.below(60)) {
    case 0:
      return {
        headers: [`Content-Length: ${hiding.length}`, 'Transfer-Encoding: chunked'],
        body: hiding,
        lineEnd,
      }
    case 1:
      return {
        headers: ['Content-Length: 4', `Content-Length: ${4 + hidden.length}`],
        body: Buffer.concat([Buffer.from('{}  '), hidden]),
        lineEnd,
      }
    case 2:
      return {
        headers: [
          chance.of([
            'Transfer-Encoding: xchunked',
            'Transfer-Encoding : chunked',
            'Transfer-Encoding: chunked, identity',
            'Transfer-Encoding:\x0bchunked',
            'Transfer-Encoding: identity',
          ]),
          `Content-Length: ${hiding.length}`,
        ],
        body: hiding,
        lineEnd,
      }
    case 3:
      return {
        headers: [length.replace(': ', chance.of([': +', ': -', ': 0x', ': 1e', ': 4,']))],
        body: Buffer.concat([body.subarray(0, 4), hidden]),
        lineEnd,
      }
    case 4:
      return {
        headers: ['Transfer-Encoding: chunked'],
        body: Buffer.from(
          `${chance.of(['ffffffffffffffffff', '-1', '0x5', ' 5', '5;x="\r\n"', 'g'])}\r\nhello\r\n0\r\n\r\n`,
        ),
        lineEnd,
      }
    case 5:
      return { headers: [length], body, lineEnd: '\n' }
    case 6:
      return {
        headers: [`Content-Length: ${body.length + 1 + chance.below(1_000)}`],
        body,
        lineEnd,
      }
    case 7:
      return { headers: ['Content-Length: 999999999999'], body, lineEnd }
    case 8:
      return {
        headers: ['Transfer-Encoding: chunked'],
        body: chunked.subarray(0, chance.below(chunked.length)),
        lineEnd,
      }
    case 9:
      return {
        headers: ['Transfer-Encoding: chunked'],
        body: Buffer.concat([chunked.subarray(0, -2), Buffer.from(`x-api-key: ${good}\r\n\r\n`)]),
        lineEnd,
      }
    case 10:
    case 11:
    case 12:
      return { headers: ['Transfer-Encoding: chunked'], body: chunked, lineEnd }
    default:
      return { headers: [length], body, lineEnd }
  }
}

function noHttp(chance: Chance, id: string, { good }: Tokens): Buffer {
  switch (chance.below(6)) {
    case 0:
      return chance.bytes(1 + chance.below(500))
    case 1:
      return Buffer.concat([Buffer.from([0x16, 3, 1, 0, 200, 1, 0, 0, 196]), chance.bytes(196)])
    case 2:
      return Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0')
    case 3:
      return Buffer.from(
        `CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\nproxy-authorization: Bearer ${good}\r\n\r\n`,
      )
    case 4:
      return Buffer.concat([
        Buffer.from(
          `GET /openai/v1/responses?fuzz=${id} HTTP/1.1\r\nHost: x\r\nx-api-key: ${good}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ${chance.of(['13', '8', ''])}\r\nSec-WebSocket-Key: ${chance.of(['AAAAAAAAAAAAAAAAAAAAAA==', 'x', ''])}\r\n\r\n`,
        ),
        chance.bytes(chance.below(300)),
      ])
    default:
      return Buffer.from(
        `POST http://evil.example/anthropic/v1/messages?fuzz=${id} HTTP/${chance.of(['0.9', '1.0', '1.1', '2.0', '9.9'])}\r\nHost: x\r\nx-api-key: ${good}\r\nContent-Length: 2\r\n\r\n{}`,
      )
  }
}

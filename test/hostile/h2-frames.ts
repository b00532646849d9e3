/** HTTP/2 as bytes (RFC 9113, RFC 7541), for what a proper client would not send. */

export const frame = { data: 0, headers: 1, reset: 3, settings: 4, continuation: 9 } as const
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export function h2Frame(
  kind: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = kind
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** Every field literal, never indexed, no Huffman: RFC 7541 6.2.2. */
export function h2Fields(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.of(0), h2Text(name), h2Text(value)]),
  )
}

function h2Text(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.of(bytes.length), bytes])
  const length = [127]
  let left = bytes.length - 127
  while (left >= 128) {
    length.push((left & 127) | 128)
    left >>= 7
  }
  return Buffer.concat([Buffer.from([...length, left]), bytes])
}

export const endStream = 1
export const endHeaders = 4

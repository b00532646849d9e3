/** Keys that tell something about the values beside or below them. 0: any other key. */
export const keyCode = {
  other: 0,
  type: 1,
  role: 2,
  text: 3,
  data: 4,
  content: 5,
  source: 6,
  signature: 7,
  imageUrl: 8,
  fileData: 9,
  encryptedContent: 10,
  result: 11,
  thinking: 12,
} as const

const known: readonly (readonly [string, number])[] = [
  ['type', keyCode.type],
  ['role', keyCode.role],
  ['text', keyCode.text],
  ['data', keyCode.data],
  ['content', keyCode.content],
  ['source', keyCode.source],
  ['signature', keyCode.signature],
  ['image_url', keyCode.imageUrl],
  ['file_data', keyCode.fileData],
  ['encrypted_content', keyCode.encryptedContent],
  ['result', keyCode.result],
  ['thinking', keyCode.thinking],
]

const byHash = new Map<number, readonly [Buffer, number]>(
  known.map(([name, code]) => {
    const bytes = Buffer.from(name)
    return [hashBytes(bytes, 0, bytes.length), [bytes, code]]
  }),
)

export function hashBytes(buf: Buffer, start: number, end: number): number {
  let hash = end - start
  for (let p = start; p < end; p++) hash = (Math.imul(hash, 31) + (buf[p] as number)) | 0
  return hash
}

/** A bit per value of the low eleven bits of a known hash: nearly every other key misses it. */
const maybe = new Uint8Array(2048)
for (const hash of byHash.keys()) maybe[hash & 2047] = 1

export function codeOf(buf: Buffer, start: number, end: number, hash: number): number {
  if (maybe[hash & 2047] === 0) return keyCode.other
  const found = byHash.get(hash)
  if (found === undefined) return keyCode.other
  const [bytes, code] = found
  if (bytes.length !== end - start) return keyCode.other
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] !== buf[start + i]) return keyCode.other
  }
  return code
}

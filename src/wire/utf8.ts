import { hexValue } from './json-classes.ts'

/** Value of four hex digits; -1 when they are none. */
export function hex4(buf: Buffer, at: number): number {
  if (at + 4 > buf.length) return -1
  const a = hexValue[buf[at] as number] as number
  const b = hexValue[buf[at + 1] as number] as number
  const c = hexValue[buf[at + 2] as number] as number
  const d = hexValue[buf[at + 3] as number] as number
  return (a | b | c | d) > 15 ? -1 : (a << 12) | (b << 8) | (c << 4) | d
}

/**
 * The code point whose UTF-8 form starts at `at`; -1 when that is not well-formed (Unicode 16,
 * table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
 */
export function utf8At(buf: Buffer, at: number): number {
  const a = buf[at] as number
  if (a < 0xc2 || at + 1 >= buf.length) return -1
  const b = buf[at + 1] as number
  if ((b & 0xc0) !== 0x80) return -1
  if (a < 0xe0) return ((a & 0x1f) << 6) | (b & 0x3f)
  if (at + 2 >= buf.length) return -1
  const c = buf[at + 2] as number
  if ((c & 0xc0) !== 0x80) return -1
  if (a < 0xf0) {
    const cp = ((a & 0x0f) << 12) | ((b & 0x3f) << 6) | (c & 0x3f)
    return cp < 0x800 || (cp >= 0xd800 && cp <= 0xdfff) ? -1 : cp
  }
  if (a > 0xf4 || at + 3 >= buf.length) return -1
  const d = buf[at + 3] as number
  if ((d & 0xc0) !== 0x80) return -1
  const cp = ((a & 0x07) << 18) | ((b & 0x3f) << 12) | ((c & 0x3f) << 6) | (d & 0x3f)
  return cp < 0x10000 || cp > 0x10ffff ? -1 : cp
}

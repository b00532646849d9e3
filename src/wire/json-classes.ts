/**
 * Byte classes for the scanner's loops. What a byte table answers costs one load; everything that
 * is not plain leaves the loop.
 */

/** 0 plain, 1 quote, 2 backslash, 3 control (not allowed in a string), 4 not ASCII. */
export const stringClass = new Uint8Array(256)
stringClass.fill(3, 0, 0x20)
stringClass.fill(4, 0x80, 0x100)
stringClass[0x22] = 1
stringClass[0x5c] = 2

/** 1 for the bytes that may follow a backslash alone (RFC 8259 section 7). */
export const escapeClass = new Uint8Array(256)
for (const byte of Buffer.from('"\\/bfnrt')) escapeClass[byte] = 1

/** What a single-letter escape stands for. */
export const escapeValue = new Uint8Array(256)
for (const [letter, value] of Object.entries({ b: 8, f: 12, n: 10, r: 13, t: 9 })) {
  escapeValue[letter.charCodeAt(0)] = value
}
for (const byte of Buffer.from('"\\/')) escapeValue[byte] = byte

/** Value of a hex digit, 255 for anything else. */
export const hexValue = new Uint8Array(256).fill(255)
for (let value = 0; value < 16; value++) {
  hexValue[value.toString(16).charCodeAt(0)] = value
  hexValue[value.toString(16).toUpperCase().charCodeAt(0)] = value
}

/** 1 for the alphabet of base64, base64url and padding. */
export const base64Class = new Uint8Array(256)
for (const byte of Buffer.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=',
)) {
  base64Class[byte] = 1
}

/** What a string was seen to hold while its bytes were validated. */
export const textFlag = {
  /** A backslash escape: the raw bytes are not the text. */
  escape: 1,
  notAscii: 2,
  /** A code point that shows nothing or turns text around. */
  hidden: 4,
  /** Something that looks like an ASCII apostrophe and is none. */
  lookAlike: 8,
} as const

/**
 * Flags of a code point above ASCII: `hidden`, `lookAlike` or none. Default-ignorable code points
 * and bidi controls of Unicode 16 (DerivedCoreProperties, PropList), and blanks that pass for them.
 */
export function suspicion(cp: number): number {
  if (cp < 0x2000) {
    if (cp < 0x300) {
      if (cp === 0xad) return textFlag.hidden
      return cp === 0x2bc || cp === 0x2b9 || cp === 0x2c8 || cp === 0xb4 ? textFlag.lookAlike : 0
    }
    if (cp === 0x34f || cp === 0x61c || cp === 0x115f || cp === 0x1160) return textFlag.hidden
    if (cp === 0x17b4 || cp === 0x17b5) return textFlag.hidden
    if (cp >= 0x180b && cp <= 0x180f) return textFlag.hidden
    return cp === 0x55a ? textFlag.lookAlike : 0
  }
  if (cp < 0x2070) {
    if (cp >= 0x200b && cp <= 0x200f) return textFlag.hidden
    if (cp >= 0x202a && cp <= 0x202e) return textFlag.hidden
    if (cp >= 0x2060) return textFlag.hidden
    return cp === 0x2018 || cp === 0x2019 || cp === 0x201b || cp === 0x2032 ? textFlag.lookAlike : 0
  }
  if (cp < 0xfe00) {
    if (cp === 0x2800 || cp === 0x3164) return textFlag.hidden
    return cp === 0xa78c ? textFlag.lookAlike : 0
  }
  if (cp < 0x10000) {
    if (cp <= 0xfe0f || cp === 0xfeff || cp === 0xffa0) return textFlag.hidden
    if (cp >= 0xfff0 && cp <= 0xfffb) return textFlag.hidden
    return cp === 0xff07 ? textFlag.lookAlike : 0
  }
  if (cp >= 0xe0000 && cp <= 0xe0fff) return textFlag.hidden
  if (cp >= 0x1d173 && cp <= 0x1d17a) return textFlag.hidden
  return cp >= 0x1bca0 && cp <= 0x1bca3 ? textFlag.hidden : 0
}

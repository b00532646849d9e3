/**
 * A buffer that grows and is used again for the next group commit. Views handed out by `view` are
 * valid until the next write.
 */
export class ByteWriter {
  #buffer: Buffer
  length = 0

  constructor(capacity: number) {
    this.#buffer = Buffer.allocUnsafeSlow(capacity)
  }

  reset(): void {
    this.length = 0
  }

  /** Makes room for `more` bytes and returns the buffer; the caller advances `length`. */
  room(more: number): Buffer {
    const need = this.length + more
    if (need > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(need, this.#buffer.length * 2))
      this.#buffer.copy(grown, 0, 0, this.length)
      this.#buffer = grown
    }
    return this.#buffer
  }

  u8(value: number): void {
    this.length = this.room(1).writeUInt8(value, this.length)
  }

  u16(value: number): void {
    this.length = this.room(2).writeUInt16BE(value, this.length)
  }

  u32(value: number): void {
    this.length = this.room(4).writeUInt32BE(value, this.length)
  }

  /** Counters and sizes stay below 2^53. */
  u64(value: number): void {
    const buffer = this.room(8)
    buffer.writeUInt32BE(Math.floor(value / 0x1_0000_0000), this.length)
    buffer.writeUInt32BE(value >>> 0, this.length + 4)
    this.length += 8
  }

  bytes(value: Uint8Array): void {
    this.room(value.length).set(value, this.length)
    this.length += value.length
  }

  /** Writes UTF-8 and returns the number of bytes. */
  text(value: string): number {
    const written = this.room(value.length * 3).write(value, this.length)
    this.length += written
    return written
  }

  view(start: number, end: number): Buffer {
    return this.#buffer.subarray(start, end)
  }

  setU32(at: number, value: number): void {
    this.#buffer.writeUInt32BE(value, at)
  }
}

export function readU64(buffer: Buffer, at: number): number {
  return buffer.readUInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)
}

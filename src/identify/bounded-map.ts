/** A map that forgets its oldest members when it is full. */
export class BoundedMap<Key, Value> {
  readonly #map = new Map<Key, Value>()
  readonly #membersMax: number

  constructor(membersMax: number) {
    this.#membersMax = membersMax
  }

  get size(): number {
    return this.#map.size
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key)
  }

  set(key: Key, value: Value): void {
    if (this.#map.size >= this.#membersMax && !this.#map.has(key)) {
      for (const oldest of this.#map.keys()) {
        this.#map.delete(oldest)
        break
      }
    }
    this.#map.set(key, value)
  }

  delete(key: Key): void {
    this.#map.delete(key)
  }
}

/** The known output of a producer: arriving bytes are compared with it one by one, however they are cut into pieces. */
export class ExpectedOutput {
  readonly #parts: Iterator<Uint8Array, never>;
  #part: Uint8Array = new Uint8Array(0);
  #length = 0;

  /** @param parts of the output, in order, without an end */
  constructor(parts: Iterator<Uint8Array, never>) {
    this.#parts = parts;
  }

  /** The number of bytes that have arrived. */
  get length(): number {
    return this.#length;
  }

  /** Whether the bytes that have arrived end where a part ends. */
  get isWhole(): boolean {
    return this.#part.length === 0;
  }

  /** @throws Error when the bytes are not those that the producer writes next */
  take(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#part.length === 0) this.#part = this.#parts.next().value;
      const length = Math.min(this.#part.length, bytes.length - at);
      const expected = Buffer.from(this.#part.buffer, this.#part.byteOffset, length);
      const found = bytes.subarray(at, at + length);
      if (!expected.equals(found)) throw unlike(this.#length, expected, found);
      this.#part = this.#part.subarray(length);
      this.#length += length;
      at += length;
    }
  }
}

/** `text(1)`, `text(2)` and so on. */
export function* numbered(text: (number: number) => string): Generator<Uint8Array, never> {
  for (let number = 1; ; number += 1) yield Buffer.from(text(number));
}

export function* repeated(block: Uint8Array): Generator<Uint8Array, never> {
  for (;;) yield block;
}

function unlike(offset: number, expected: Uint8Array, found: Uint8Array): Error {
  const shown = (bytes: Uint8Array): string =>
    JSON.stringify(Buffer.from(bytes.subarray(0, 80)).toString("latin1"));
  return new Error(`Byte ${offset} on: ${shown(found)} came instead of ${shown(expected)}`);
}

/**
 * Buffers that journals are read into. A process that passes output on at the speed of the disk would make and drop gigabytes of them,
 * and spend its time on their collection.
 */
const keptMax = 16;

export class ReadBuffers {
  readonly #bytes: number;
  readonly #free: Buffer[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Nobody else has it until it is given back. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  /** What was read into it stays there until the next turn of the event loop. */
  giveBack(buffer: Buffer): void {
    setImmediate(() => {
      if (this.#free.length < keptMax) this.#free.push(buffer);
    });
  }
}

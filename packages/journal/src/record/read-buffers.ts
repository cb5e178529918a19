const keptMax = 16;

/**
 * A pool of buffers that journals are read into. Without it, a process that reads output at the speed of the disk would allocate
 * gigabytes of buffers and spend its time on garbage collection.
 */
export class ReadBuffers {
  readonly #bytes: number;
  readonly #free: Buffer[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Returns a buffer that is not in use. */
  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#bytes);
  }

  /** Returns a buffer to the pool. Its content stays valid until the next turn of the event loop. */
  giveBack(buffer: Buffer): void {
    setImmediate(() => {
      if (this.#free.length < keptMax) this.#free.push(buffer);
    });
  }
}

/** Input on its way to the command: passed on as it comes, while little of it waits to be sent. */

/** More than anyone types during an outage; then reading waits. */
const bytesMax = 64 * 1024;

export class TypedAhead {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #bytes = 0;

  constructor(input: WritableStream<Uint8Array>) {
    this.#writer = input.getWriter();
  }

  /** Resolves when more may be written. What cannot be sent because the session is over is dropped: its end says so. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    const sent = this.#send(bytes);
    if (this.#bytes > bytesMax) await sent;
  }

  /** Ends the input after what was written. */
  async end(): Promise<void> {
    try {
      await this.#writer.close();
    } catch {
      // Safe to ignore: the session is over.
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    try {
      await this.#writer.write(bytes);
    } catch {
      // Safe to ignore: the session is over.
    } finally {
      this.#bytes -= bytes.length;
    }
  }
}

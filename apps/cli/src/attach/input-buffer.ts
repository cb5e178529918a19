/** Input that is not sent yet. During an outage it takes what the user types ahead. */

/** More than anyone types during an outage. Beyond it, writes wait. */
const bytesMax = 64 * 1024;

export class InputBuffer {
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  #bytes = 0;

  constructor(input: WritableStream<Uint8Array>) {
    this.#writer = input.getWriter();
  }

  /** Resolves when more may be written. Bytes that can no longer be sent because the session has ended are dropped. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes += bytes.length;
    const sent = this.#send(bytes);
    if (this.#bytes > bytesMax) await sent;
  }

  /** Ends the input after the bytes written so far. */
  async end(): Promise<void> {
    try {
      await this.#writer.close();
    } catch {
      // Safe to ignore: the session has ended.
    }
  }

  async #send(bytes: Uint8Array): Promise<void> {
    try {
      await this.#writer.write(bytes);
    } catch {
      // Safe to ignore: the session has ended.
    } finally {
      this.#bytes -= bytes.length;
    }
  }
}

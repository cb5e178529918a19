/** A client of Docker's whose connection carries a command's bytes. */
export interface ClientConnection {
  /** Aborted when the client is gone, or the server is about to end. */
  readonly gone: AbortSignal;
  /** What the client sends, until it sends no more. To be read once. */
  input(): AsyncIterable<Uint8Array>;
  /** Resolves when the client can take more, or is gone. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** Closes it when what was written has gone out. */
  end(): void;
}

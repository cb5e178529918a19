/** A Docker client's connection that carries a command's input and output. */
export interface ClientConnection {
  /** Aborted when the client is gone, or the server is about to end. */
  readonly gone: AbortSignal;
  /** The client's input, until it ends. Can be read once. */
  input(): AsyncIterable<Uint8Array>;
  /** Resolves when the client can take more, or is gone. */
  write(pieces: readonly Uint8Array[]): Promise<void>;
  /** Closes the connection after everything written was sent. */
  end(): void;
}

import { once } from "node:events";
import type { Duplex } from "node:stream";

import { createWebSocketStream, type WebSocket } from "ws";

import type { ClientConnection } from "./client-connection.ts";

/** Close codes of RFC 6455. */
const closeCodes = { normal: 1000, failure: 1011 };

/** Carries a command's bytes in binary messages. A WebSocket has no half-close: the client's input ends when it closes. */
export class WebSocketConnection implements ClientConnection {
  readonly gone: AbortSignal;
  readonly #webSocket: WebSocket;
  readonly #stream: Duplex;

  constructor(webSocket: WebSocket, closing: AbortSignal) {
    const gone = new AbortController();
    this.gone = gone.signal;
    this.#webSocket = webSocket;
    this.#stream = createWebSocketStream(webSocket);
    // Safe to ignore: `close` follows.
    this.#stream.on("error", () => undefined);
    const terminate = (): void => webSocket.terminate();
    closing.addEventListener("abort", terminate);
    if (closing.aborted) terminate();
    webSocket.once("close", () => {
      closing.removeEventListener("abort", terminate);
      gone.abort();
    });
  }

  async *input(): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#stream.iterator({ destroyOnReturn: false });
    } catch (error) {
      if (!this.gone.aborted) throw error;
    }
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    if (this.gone.aborted || pieces.length === 0) return;
    if (this.#stream.write(Buffer.concat(pieces))) return;
    // Safe to ignore: the client is gone.
    await once(this.#stream, "drain", { signal: this.gone }).catch(() => undefined);
  }

  end(): void {
    this.#stream.end();
  }

  /** @param message the close reason, cut to the 123 bytes that a close frame has room for */
  fail(message: string): void {
    const reason = Buffer.from(message)
      .subarray(0, 123)
      .toString()
      .replace(/\uFFFD$/, "");
    this.#webSocket.close(closeCodes.failure, reason);
  }
}

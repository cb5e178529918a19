import { once } from "node:events";
import type { Duplex } from "node:stream";

import { createWebSocketStream, type WebSocket } from "ws";

import type { ClientConnection } from "./client-connection.ts";

/** Codes of RFC 6455. */
const closeCodes = { normal: 1000, failure: 1011 };

/** A command's bytes as the payload of binary messages. A WebSocket has no half-close: its client's input ends with it. */
export class WebSocketConnection implements ClientConnection {
  readonly gone: AbortSignal;
  readonly #webSocket: WebSocket;
  readonly #stream: Duplex;

  constructor(webSocket: WebSocket, closing: AbortSignal) {
    const gone = new AbortController();
    this.gone = gone.signal;
    this.#webSocket = webSocket;
    this.#stream = createWebSocketStream(webSocket);
    // Safe to ignore: it is closed next.
    this.#stream.on("error", () => undefined);
    const terminate = (): void => webSocket.terminate();
    closing.addEventListener("abort", terminate);
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
    // Safe to ignore: the one who is gone takes no more.
    await once(this.#stream, "drain", { signal: this.gone }).catch(() => undefined);
  }

  end(): void {
    this.#stream.end();
  }

  /** @param message for a person; a close frame has room for 123 bytes of it */
  fail(message: string): void {
    const reason = Buffer.from(message)
      .subarray(0, 123)
      .toString()
      .replace(/\uFFFD$/, "");
    this.#webSocket.close(closeCodes.failure, reason);
  }
}

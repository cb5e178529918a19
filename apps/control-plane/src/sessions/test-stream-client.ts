/** For tests: a client of the stream route that sends any frame, valid or not. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";

import { newSessionId } from "@podfleet/model/ids";
import { sessionSpecSchema } from "@podfleet/model/session";
import { decodeFrame, encodeFrame, type Frame } from "@podfleet/protocol/stream/frame";
import { type OpenRequest, streamPath, streamSubprotocol } from "@podfleet/protocol/stream/open";
import { WebSocket } from "ws";

import type { Replica } from "../test-fleet.ts";

export interface StreamClientOptions {
  readonly token: string;
  readonly path?: string;
  readonly subprotocols?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
}

export class TestStreamClient {
  readonly webSocket: WebSocket;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  readonly #arrived: Uint8Array[] = [];
  #onArrival = Promise.withResolvers<void>();

  private constructor(webSocket: WebSocket) {
    this.webSocket = webSocket;
    webSocket.on("message", (data) => {
      this.#arrived.push(data as Buffer);
      this.#onArrival.resolve();
      this.#onArrival = Promise.withResolvers();
    });
    this.closed = once(webSocket, "close").then(([code]) => Number(code));
  }

  /** @returns the status and the body instead of a client when the upgrade is refused */
  static async connect(
    replica: Replica,
    options: StreamClientOptions,
  ): Promise<TestStreamClient | { readonly status: number; readonly body: string }> {
    const { token, path = streamPath, subprotocols = [streamSubprotocol], headers } = options;
    const url = `${replica.url.replace("http", "ws")}${path}`;
    const webSocket = new WebSocket(url, [...subprotocols], {
      headers: { ...(token === "" ? {} : { authorization: `Bearer ${token}` }), ...headers },
    });
    const refused = once(webSocket, "unexpected-response");
    const client = new TestStreamClient(webSocket);
    const first = await Promise.race([once(webSocket, "open").then(() => undefined), refused]);
    if (!first) return client;
    const response = first[1] as IncomingMessage;
    const body = (await response.toArray()).join("");
    return { status: response.statusCode ?? 0, body };
  }

  /** The bytes of the next frame that was not taken yet. */
  async nextBytes(): Promise<Uint8Array> {
    for (;;) {
      const bytes = this.#arrived.shift();
      if (bytes) return bytes;
      await this.#onArrival.promise;
    }
  }

  async next(): Promise<Frame> {
    return decodeFrame(await this.nextBytes());
  }

  send(frame: Frame | Uint8Array | string): void {
    const isBytes = typeof frame === "string" || frame instanceof Uint8Array;
    this.webSocket.send(isBytes ? frame : encodeFrame(frame));
  }

  open(container: string, request: Partial<OpenRequest> = {}): void {
    const spec = sessionSpecSchema.parse({ input: "shared" });
    const rest = { session: newSessionId(), spec, resume: false, window: 65_536 };
    this.send({ type: "open", request: { container, ...rest, ...request } });
  }
}

/** One connection of a session: frames over a WebSocket, which is the platform's own, so that it works in Node and in browsers. */
import { PodfleetError } from "@podfleet/model/errors";
import {
  agentSilenceMaxMs,
  decodeFrame,
  encodeFrame,
  type Frame,
} from "@podfleet/protocol/stream/frame";
import { type Opened, type OpenRequest, streamPath } from "@podfleet/protocol/stream/open";

import type { Api } from "../api.ts";
import type { Connection } from "../connection.ts";

export interface Caller {
  readonly api: Api;
  readonly connection: Connection;
}

/** Called until the first failure, and not after `close`. */
export interface StreamListener {
  readonly onOpened: (opened: Opened) => void;
  /** What it throws is the connection's failure. */
  readonly onFrame: (frame: Frame) => void;
  readonly onFailure: (error: PodfleetError) => void;
}

/** From the beginning until `opened`: time to connect, and for the host to answer. */
const openTimeoutMs = 15_000;
const watchIntervalMs = 500;

export class StreamSocket {
  readonly #caller: Caller;
  readonly #listener: StreamListener;
  readonly #webSocket: WebSocket;
  readonly #watch: ReturnType<typeof setInterval>;
  #heardMs = performance.now();
  #isConnected = false;
  #isOpened = false;
  #isOver = false;

  /** @throws PodfleetError UNAUTHENTICATED when the token cannot be one */
  constructor(caller: Caller, request: OpenRequest, listener: StreamListener) {
    this.#caller = caller;
    this.#listener = listener;
    this.#webSocket = caller.connection.webSocket(streamPath);
    this.#webSocket.binaryType = "arraybuffer";
    this.#webSocket.addEventListener("open", () => {
      this.#isConnected = true;
      this.send({ type: "open", request });
    });
    this.#webSocket.addEventListener("message", ({ data }) => this.#receive(data));
    for (const event of ["error", "close"] as const) {
      this.#webSocket.addEventListener(event, () => this.#broken());
    }
    this.#watch = setInterval(() => this.#checkSilence(), watchIntervalMs);
  }

  /** A connection that is breaking off drops it, and fails soon after. */
  send(frame: Frame): void {
    if (!this.#isOver) this.#webSocket.send(encodeFrame(frame) as Uint8Array<ArrayBuffer>);
  }

  /** What was sent goes out first. */
  close(): void {
    this.#isOver = true;
    clearInterval(this.#watch);
    this.#webSocket.close();
  }

  #receive(data: unknown): void {
    if (this.#isOver) return;
    this.#heardMs = performance.now();
    try {
      const frame = decode(data);
      if (this.#isOpened || frame.type === "error") return this.#listener.onFrame(frame);
      if (frame.type !== "opened") throw unexpected(`"${frame.type}" before "opened"`);
      this.#isOpened = true;
      this.#listener.onOpened(frame.opened);
    } catch (error) {
      this.#fail(PodfleetError.from(error));
    }
  }

  #checkSilence(): void {
    const silentMs = performance.now() - this.#heardMs;
    const silentMsMax = this.#isOpened ? agentSilenceMaxMs : openTimeoutMs;
    if (silentMs > silentMsMax) this.#fail(this.#lost(`nothing heard for ${silentMsMax / 1000} s`));
  }

  #broken(): void {
    if (this.#isOver) return;
    if (this.#isConnected) return this.#fail(this.#lost("the connection broke off"));
    this.close();
    void this.#refusal().then((error) => this.#listener.onFailure(error));
  }

  /** A WebSocket does not tell why it could not be opened, and an ordinary call does. */
  async #refusal(): Promise<PodfleetError> {
    try {
      await this.#caller.api.system.info.query();
    } catch (error) {
      return PodfleetError.from(error);
    }
    return this.#lost("it answers calls and takes no connection for streams");
  }

  #fail(error: PodfleetError): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.onFailure(error);
  }

  #lost(reason: string): PodfleetError {
    return this.#caller.connection.failure(new Error(reason));
  }
}

function decode(data: unknown): Frame {
  if (!(data instanceof ArrayBuffer)) throw unexpected("a text");
  try {
    return decodeFrame(new Uint8Array(data));
  } catch (error) {
    throw unexpected("something that is no frame", error);
  }
}

function unexpected(what: string, cause?: unknown): PodfleetError {
  return new PodfleetError("INTERNAL", `The control plane sent ${what} on a session's connection`, {
    cause,
  });
}

/** The client's end of a relayed connection: a WebSocket with its bounds. After the `open` frame, frames are passed on unparsed. */
import { withDeadline } from "@podfleet/base/deadline";
import { PodfleetError, type WireError } from "@podfleet/model/errors";
import {
  clientSilenceMaxMs,
  decodeFrame,
  encodeFrame,
  inputBytesMax,
  jsonBytesMax,
  windowMax,
} from "@podfleet/protocol/stream/frame";
import type { OpenRequest } from "@podfleet/protocol/stream/open";
import { type RawData, WebSocket } from "ws";

import type { RelayedEnd } from "./relay.ts";

/** Room for the frame's other fields. */
const headBytesMax = 64;
export const clientFrameBytesMax = Math.max(jsonBytesMax, inputBytesMax) + headBytesMax;

const openTimeoutMs = 10_000;
/** The most bytes buffered for a client. Credit keeps an agent far below it; a connection that exceeds it is broken off. */
const bufferedBytesMax = 2 * windowMax;

export class ClientSocket implements RelayedEnd {
  /** Aborted when the connection is closed. */
  readonly gone: AbortSignal;
  readonly #webSocket: WebSocket;
  readonly #silence: NodeJS.Timeout;
  readonly #first = Promise.withResolvers<Uint8Array>();
  #onFrame = (frame: Uint8Array): void => {
    this.#onFrame = () => this.fail(outOfTurn().toWire());
    this.#first.resolve(frame);
  };

  constructor(webSocket: WebSocket) {
    const gone = new AbortController();
    this.gone = gone.signal;
    this.#webSocket = webSocket;
    this.#silence = setTimeout(() => webSocket.terminate(), clientSilenceMaxMs);
    webSocket.on("message", (data, isBinary) => this.#receive(data, isBinary));
    // Safe to ignore: the socket closes next, and its close code says what was wrong.
    webSocket.on("error", () => undefined);
    webSocket.on("close", () => {
      clearTimeout(this.#silence);
      gone.abort();
      this.#first.reject(new PodfleetError("CANCELLED", "The client went away"));
    });
  }

  /**
   * The client's `open` request.
   * @throws PodfleetError INVALID_INPUT when the first frame is not `open`; TIMEOUT after 10 s; CANCELLED when the client goes away
   */
  async opening(): Promise<OpenRequest> {
    const bytes = await withDeadline(this.#first.promise, openTimeoutMs, () => {
      return new PodfleetError("TIMEOUT", `No "open" frame came within ${openTimeoutMs} ms`);
    });
    const frame = decodeFrame(bytes);
    if (frame.type === "open") return frame.request;
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot open a session: the first frame is "${frame.type}", must be "open"`,
    );
  }

  /** Passes each further frame of the client to `onFrame`. */
  pass(onFrame: (frame: Uint8Array) => void): void {
    this.#onFrame = onFrame;
  }

  send(frame: Uint8Array): void {
    if (this.#webSocket.readyState !== WebSocket.OPEN) return;
    if (this.#webSocket.bufferedAmount > bufferedBytesMax) return this.#webSocket.terminate();
    this.#webSocket.send(frame, { binary: true });
  }

  /** Sends the last frame and closes the connection. */
  fail(error: WireError): void {
    this.send(encodeFrame({ type: "error", error }));
    this.close();
  }

  close(): void {
    this.#webSocket.close();
  }

  /** Stops reading from the client until `resume`. */
  pause(): void {
    this.#webSocket.pause();
  }

  resume(): void {
    this.#webSocket.resume();
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#silence.refresh();
    if (!isBinary) return this.fail(notBinary().toWire());
    this.#onFrame(data as Buffer);
  }
}

function outOfTurn(): PodfleetError {
  return new PodfleetError("INVALID_INPUT", 'Cannot take a frame before the session is "opened"');
}

function notBinary(): PodfleetError {
  return new PodfleetError("INVALID_INPUT", "Cannot read a frame: it is text, must be binary");
}

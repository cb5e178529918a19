/** The client's end of one connection of a session. A connection that falls silent counts as lost. */
import { PodfleetError } from "@podfleet/model/errors";

import { agentSilenceMaxMs, decodeFrame, encodeFrame, type Frame } from "../stream/frame.ts";
import type { Opened } from "../stream/open.ts";

/** The transport of a connection's frames. */
export interface FrameCarrier {
  /** Sends a frame. A transport that is failing drops it, and reports the failure soon after. */
  readonly send: (frame: Uint8Array) => void;
  /** Closes the transport after the frames that were sent. */
  readonly close: () => void;
  /** Makes the error of a connection that was lost for this reason. */
  readonly lost: (reason: string) => PodfleetError;
}

/** Called until the first failure, and not after `close`. */
export interface StreamListener {
  readonly onOpened: (opened: Opened) => void;
  /** Called with each frame. An error that it throws fails the connection. */
  readonly onFrame: (frame: Frame) => void;
  readonly onFailure: (error: PodfleetError) => void;
}

/** The longest time until `opened`: to connect, and for the host to answer. */
const openTimeoutMs = 15_000;
const watchIntervalMs = 500;

export class StreamConnection {
  readonly #carrier: FrameCarrier;
  readonly #listener: StreamListener;
  readonly #watch: ReturnType<typeof setInterval>;
  #heardMs = performance.now();
  #isOpened = false;
  #isOver = false;

  constructor(carrier: FrameCarrier, listener: StreamListener) {
    this.#carrier = carrier;
    this.#listener = listener;
    this.#watch = setInterval(() => this.#checkSilence(), watchIntervalMs);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  send(frame: Frame): void {
    if (!this.#isOver) this.#carrier.send(encodeFrame(frame));
  }

  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#watch);
    this.#carrier.close();
  }

  /** Takes a frame that has arrived. */
  receive(bytes: Uint8Array): void {
    if (this.#isOver) return;
    this.#heardMs = performance.now();
    try {
      const frame = decode(bytes);
      if (this.#isOpened || frame.type === "error") return this.#listener.onFrame(frame);
      if (frame.type !== "opened") throw unexpected(`"${frame.type}" before "opened"`);
      this.#isOpened = true;
      this.#listener.onOpened(frame.opened);
    } catch (error) {
      this.fail(PodfleetError.from(error));
    }
  }

  fail(error: PodfleetError): void {
    if (this.#isOver) return;
    this.close();
    this.#listener.onFailure(error);
  }

  #checkSilence(): void {
    const silentMs = performance.now() - this.#heardMs;
    const silentMsMax = this.#isOpened ? agentSilenceMaxMs : openTimeoutMs;
    if (silentMs <= silentMsMax) return;
    this.fail(this.#carrier.lost(`nothing heard for ${silentMsMax / 1000} s`));
  }
}

function decode(bytes: Uint8Array): Frame {
  try {
    return decodeFrame(bytes);
  } catch (error) {
    throw unexpected("something that is no frame", error);
  }
}

/** The error of a peer that violates the protocol. */
export function unexpected(what: string, cause?: unknown): PodfleetError {
  return new PodfleetError("INTERNAL", `The control plane sent ${what} on a session's connection`, {
    cause,
  });
}

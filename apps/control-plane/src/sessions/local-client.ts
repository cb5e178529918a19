import { PodfleetError, type WireError } from "@podfleet/model/errors";
import {
  StreamConnection,
  type StreamListener,
} from "@podfleet/protocol/session/stream-connection";
import { encodeFrame } from "@podfleet/protocol/stream/frame";
import type { OpenRequest } from "@podfleet/protocol/stream/open";

import type { RelayedEnd } from "./relay.ts";

/** The client's end of a relayed connection, for a client within this process: frames pass by function calls. */
export class LocalClient implements RelayedEnd {
  readonly gone: AbortSignal;
  /** The connection as the client sees it. */
  readonly connection: StreamConnection;
  readonly #request: OpenRequest;
  #onFrame: ((frame: Uint8Array) => void) | undefined;

  constructor(request: OpenRequest, listener: StreamListener) {
    const gone = new AbortController();
    this.gone = gone.signal;
    this.#request = request;
    const carrier = {
      send: (frame: Uint8Array) => this.#onFrame?.(frame),
      close: () => gone.abort(),
      lost,
    };
    this.connection = new StreamConnection(carrier, listener);
  }

  async opening(): Promise<OpenRequest> {
    return this.#request;
  }

  pass(onFrame: (frame: Uint8Array) => void): void {
    this.#onFrame = onFrame;
  }

  send(frame: Uint8Array): void {
    this.connection.receive(frame);
  }

  fail(error: WireError): void {
    this.send(encodeFrame({ type: "error", error }));
    this.close();
  }

  close(): void {
    this.connection.fail(lost("the connection broke off"));
  }

  pause(): void {
    // The agent's limit bounds the input in flight.
  }

  resume(): void {
    // `pause` has no effect, so there is nothing to resume.
  }
}

function lost(reason: string): PodfleetError {
  return new PodfleetError("UNAVAILABLE", `Lost the agent of a session: ${reason}`);
}

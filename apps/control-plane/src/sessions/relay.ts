/**
 * Relays one client's connection to a session between the client and the agent. The protocol is theirs; the relay authenticates the caller,
 * finds the host and passes frames on unparsed. It holds the connection only: the session itself is the agent's.
 */
import { type ClientStream, openClientStream } from "@podfleet/bus/client-stream";
import type { Bus } from "@podfleet/bus/connection";
import type { Caller } from "@podfleet/model/caller";
import { PodfleetError, type WireError } from "@podfleet/model/errors";
import { newConnectionId } from "@podfleet/model/ids";
import { encodeFrame, isErrorFrame, windowMax } from "@podfleet/protocol/stream/frame";
import type { Opened, OpenRequest } from "@podfleet/protocol/stream/open";
import type { Logger } from "pino";

import { wireErrorOf } from "../http/wire-error.ts";
import { cutShort, type Fleet } from "../services/fleet.ts";
import { getReachableContainer } from "../services/known-container.ts";
import { unreachable } from "../services/unreachable.ts";
import { inServerSpan } from "../trace-context.ts";

export interface RelayServices {
  readonly fleet: Fleet;
  readonly bus: Bus;
  readonly logger: Logger;
}

/** The client's end of a connection. */
export interface RelayedEnd {
  /** Aborted when the connection is closed. */
  readonly gone: AbortSignal;
  /**
   * The client's `open` request.
   * @throws PodfleetError INVALID_INPUT when the first frame is not `open`; TIMEOUT; CANCELLED when the client goes away
   */
  opening(): Promise<OpenRequest>;
  /** Passes each further frame of the client to `onFrame`. */
  pass(onFrame: (frame: Uint8Array) => void): void;
  send(frame: Uint8Array): void;
  /** Sends the last frame and closes the connection. */
  fail(error: WireError): void;
  close(): void;
  /** Stops reading from the client until `resume`. */
  pause(): void;
  resume(): void;
}

export interface RelayedClient {
  readonly client: RelayedEnd;
  readonly caller: Caller;
  /** The request's headers, which may hold the trace context. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** The bound of the agent's reply: it may have to wait for the container's lock. */
const openTimeoutMs = 10_000;
/** The most frames that may arrive before the agent's reply, which comes by another link. */
const earlyBytesMax = 2 * windowMax;
/** The bytes queued for NATS after which the client is paused. */
const unflushedBytesMax = 1024 * 1024;

/** Resolves when the connection has ended on both sides. The client is told why, unless it left by itself. */
export async function relaySession(services: RelayServices, peer: RelayedClient): Promise<void> {
  const { fleet, logger } = services;
  const { client } = peer;
  const { gone } = client;
  const drain = (): void => client.fail(cutShort(fleet, undefined).toWire());
  if (fleet.draining.aborted) return drain();
  fleet.draining.addEventListener("abort", drain, { signal: gone });
  try {
    await hold(services, peer, await client.opening());
  } catch (error) {
    if (gone.aborted || fleet.draining.aborted) return;
    const wire = wireErrorOf(error);
    if (wire.code === "INTERNAL") logger.error({ err: error }, "defect in a session's stream");
    client.fail(wire);
  }
}

/** @throws PodfleetError the reason that the connection ended */
async function hold(
  { fleet, bus }: RelayServices,
  { client, caller, headers }: RelayedClient,
  request: OpenRequest,
): Promise<void> {
  const { id: containerId, name, host } = await getReachableContainer(fleet, request.container);
  const connectionId = newConnectionId();
  const lost = new AbortController();
  const toClient = new HeldFrames((frame) => {
    client.send(frame);
    if (isErrorFrame(frame)) client.close();
  });
  const stream = await openClientStream(bus, {
    hostId: host.id,
    connectionId,
    onFrame: (frame) => toClient.take(frame),
    onLost: (error) => lost.abort(error),
  });
  try {
    const signal = AbortSignal.any([client.gone, fleet.draining, lost.signal]);
    const watched = await fleet.watch.during(host, signal, async (ending) => {
      const { session: sessionId, container: _, traceparent, ...rest } = request;
      const payload = { sessionId, connectionId, containerId, caller: caller.name, ...rest };
      const parent = headers["traceparent"] === undefined ? { traceparent } : headers;
      // The request is not aborted when the client goes away: the agent could not be told then to close the connection that it is about to open.
      const reply = await inServerSpan("session open", parent, async () => {
        const call = { payload, timeoutMs: openTimeoutMs };
        return await fleet.hosts.request(host.id, "session.open", call);
      });
      const opened: Opened = {
        ...reply,
        container: { id: containerId, name },
        host: { id: host.id, name: host.name },
      };
      client.pass(toAgent(client, stream, lost));
      client.send(encodeFrame({ type: "opened", opened }));
      toClient.release();
      await aborted(ending);
    });
    if (watched.type === "silent") throw unreachable(host);
    throw restarted(host.name);
  } finally {
    stream.send(encodeFrame({ type: "lost" }));
    stream.close();
  }
}

/** A queue of frames that are held back until the client is told that the session is open. */
class HeldFrames {
  readonly #pass: (frame: Uint8Array) => void;
  #held: Uint8Array[] | undefined = [];
  #heldBytes = 0;

  constructor(pass: (frame: Uint8Array) => void) {
    this.#pass = pass;
  }

  take(frame: Uint8Array): void {
    if (!this.#held) return this.#pass(frame);
    this.#heldBytes += frame.length;
    // A frame that is dropped here leaves a hole, which the client notices.
    if (this.#heldBytes <= earlyBytesMax) this.#held.push(frame);
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const frame of held) this.#pass(frame);
  }
}

/** Passes the client's frames on to NATS, with back-pressure. */
function toAgent(
  client: RelayedEnd,
  stream: ClientStream,
  lost: AbortController,
): (frame: Uint8Array) => void {
  let unflushed = 0;
  const flush = async (): Promise<void> => {
    client.pause();
    try {
      await stream.flush();
      unflushed = 0;
      client.resume();
    } catch (error) {
      lost.abort(error);
    }
  };
  return (frame) => {
    stream.send(frame);
    unflushed += frame.length;
    if (unflushed > unflushedBytesMax && unflushed - frame.length <= unflushedBytesMax)
      void flush();
  };
}

/** Rejects with the signal's reason once it is aborted. */
async function aborted(signal: AbortSignal): Promise<never> {
  signal.throwIfAborted();
  return await new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

function restarted(host: string): PodfleetError {
  return new PodfleetError("UNAVAILABLE", `The agent of host "${host}" has reconnected`, {
    details: { host },
  });
}

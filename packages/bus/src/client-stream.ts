/** The control plane's end of a client's connection to a session: passes frames (protocol/stream) on unread, over the bulk link. */
import { PodfleetError } from "@podfleet/model/errors";
import type { ConnectionId, HostId } from "@podfleet/model/ids";
import { toAgentStreamSubject, toClientStreamSubject } from "@podfleet/protocol/subject";

import type { Bus } from "./connection.ts";

export interface ClientStreamOptions {
  readonly hostId: HostId;
  readonly connectionId: ConnectionId;
  /** Called with each frame from the agent, in order. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** Called when the link goes down. Frames of both directions may be lost; no more frames follow. */
  readonly onLost: (error: PodfleetError) => void;
}

/**
 * Resolves when the subscription is active: no later frame from the agent is missed.
 * @throws PodfleetError UNAVAILABLE when the link is down
 */
export async function openClientStream(
  bus: Bus,
  options: ClientStreamOptions,
): Promise<ClientStream> {
  const stream = new ClientStream(bus, options);
  try {
    await stream.flush();
    return stream;
  } catch (error) {
    stream.close();
    throw error;
  }
}

export class ClientStream {
  readonly #bus: Bus;
  readonly #toAgent: string;
  readonly #unsubscribe: () => void;
  readonly #unwatch: () => void;

  constructor(bus: Bus, { hostId, connectionId, onFrame, onLost }: ClientStreamOptions) {
    this.#bus = bus;
    this.#toAgent = toAgentStreamSubject(hostId, connectionId);
    this.#unsubscribe = bus.bulk.subscribe(
      toClientStreamSubject(hostId, connectionId),
      ({ data }) => onFrame(data),
    );
    this.#unwatch = bus.onEvent(({ link, type }) => {
      if (link !== "bulk" || type !== "disconnected") return;
      this.close();
      onLost(linkLost());
    });
  }

  /** Drops the frame when the link is down, which `onLost` reports. */
  send(frame: Uint8Array): void {
    if (this.#bus.bulk.connected) this.#bus.bulk.publish(this.#toAgent, frame);
  }

  /** Resolves when the NATS server has processed all that was sent before. @throws PodfleetError UNAVAILABLE */
  async flush(): Promise<void> {
    if (!this.#bus.bulk.connected) throw linkLost();
    await this.#bus.bulk.flush();
  }

  close(): void {
    this.#unsubscribe();
    this.#unwatch();
  }
}

function linkLost(): PodfleetError {
  return new PodfleetError("UNAVAILABLE", "Cannot reach NATS: the connection for streams is down");
}

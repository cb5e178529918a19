/** The agent's end of clients' connections to its sessions: one NATS message per frame (protocol/stream/frame), over the bulk link. */
import { type ConnectionId, connectionIdSchema, type HostId } from "@podfleet/model/ids";
import {
  anyToAgentStreamSubject,
  connectionIdOfSubject,
  toClientStreamSubject,
} from "@podfleet/protocol/subject";

import type { Bus } from "./connection.ts";

export type StreamFrameListener = (connectionId: ConnectionId, frame: Uint8Array) => void;

export class AgentStreams {
  readonly #bus: Bus;
  readonly #hostId: HostId;
  readonly #unsubscribe: () => void;

  private constructor(bus: Bus, hostId: HostId, onFrame: StreamFrameListener) {
    this.#bus = bus;
    this.#hostId = hostId;
    this.#unsubscribe = bus.bulk.subscribe(anyToAgentStreamSubject(hostId), (message) => {
      const id = connectionIdSchema.safeParse(connectionIdOfSubject(message.subject));
      if (id.success) onFrame(id.data, message.data);
    });
  }

  /** Receives frames until `stop` is called, across reconnects. Resolves when the NATS server has the subscription. */
  static async open(bus: Bus, hostId: HostId, onFrame: StreamFrameListener): Promise<AgentStreams> {
    const streams = new AgentStreams(bus, hostId, onFrame);
    await bus.bulk.subscribed();
    return streams;
  }

  /** Whether the bulk link is up; `send` throws when it is not. */
  get connected(): boolean {
    return this.#bus.bulk.connected;
  }

  /**
   * Sends a frame to the client. It is copied before the next turn of the event loop.
   * @throws PodfleetError UNAVAILABLE when the link is down
   */
  send(connectionId: ConnectionId, frame: Uint8Array): void {
    this.#bus.bulk.publish(toClientStreamSubject(this.#hostId, connectionId), frame);
  }

  stop(): void {
    this.#unsubscribe();
  }
}

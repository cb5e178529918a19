/** The agent's side of the connections of clients to its sessions (protocol/stream/frame): one message a frame, over the link for bulk. */
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

  /** Takes frames until `stop` is called, across reconnects. Resolves when the server has taken the subscription. */
  static async open(bus: Bus, hostId: HostId, onFrame: StreamFrameListener): Promise<AgentStreams> {
    const streams = new AgentStreams(bus, hostId, onFrame);
    await bus.bulk.subscribed();
    return streams;
  }

  /** Whether frames get through to the server at present; `send` throws when they do not. */
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

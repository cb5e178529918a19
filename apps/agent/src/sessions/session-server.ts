/** The sessions of the host, as the control plane and its clients reach them. */
import { systemClock } from "@podfleet/base/clock";
import { AgentStreams } from "@podfleet/bus/agent-streams";
import type { Bus } from "@podfleet/bus/connection";
import type { HostHandlers } from "@podfleet/bus/host-server";
import type { Engine } from "@podfleet/engine/engine";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ConnectionId, HostId } from "@podfleet/model/ids";
import { beatIntervalMs, encodeFrame, outputHeaderBytes } from "@podfleet/protocol/stream/frame";
import type { Logger } from "pino";

import { SessionConnection } from "./session-connection.ts";

type SessionHandlers = Pick<HostHandlers, "session.open" | "session.list" | "session.close">;

export interface SessionServerOptions {
  readonly bus: Bus;
  readonly hostId: HostId;
  readonly sessions: Engine["sessions"];
  readonly log: Logger;
}

export class SessionServer {
  readonly #sessions: Engine["sessions"];
  readonly #log: Logger;
  readonly #connections = new Map<ConnectionId, SessionConnection>();
  /** Connections that were dropped while nobody could be told. */
  readonly #untold = new Set<ConnectionId>();
  readonly #stop = new AbortController();
  readonly #beating: Promise<void>;
  readonly #unsubscribe: () => void;
  #streams: AgentStreams | undefined;

  private constructor({ bus, sessions, log }: SessionServerOptions) {
    this.#sessions = sessions;
    this.#log = log;
    this.#beating = this.#beat();
    this.#unsubscribe = bus.onEvent(({ type, link }) => {
      if (link !== "bulk") return;
      if (type === "disconnected") this.#dropAll();
      else if (type === "reconnected") this.#tellDropped();
    });
  }

  /** Resolves when frames are taken. */
  static async start(options: SessionServerOptions): Promise<SessionServer> {
    const { bus, hostId } = options;
    const server = new SessionServer(options);
    server.#streams = await AgentStreams.open(bus, hostId, (id, frame) =>
      server.#receive(id, frame),
    );
    return server;
  }

  handlers(): SessionHandlers {
    return {
      "session.open": async ({ connectionId, window, ...opening }) => {
        let ended: PodfleetError | undefined;
        const attachment = await this.#sessions.open(opening, {
          headroom: outputHeaderBytes,
          onChange: () => this.#connections.get(connectionId)?.pump(),
          onEnd: (error) => {
            ended = error;
            this.#connections.get(connectionId)?.fail(error);
          },
        });
        if (ended) throw ended as PodfleetError;
        const connection = new SessionConnection(attachment, {
          window,
          send: (frame) => this.#send(connectionId, frame),
          onClose: () => this.#connections.delete(connectionId),
          onFailure: (error) =>
            this.#log.error({ err: error, sessionId: attachment.session.id }, "session failed"),
        });
        this.#connections.set(connectionId, connection);
        // After the reply.
        setImmediate(() => connection.pump());
        return connection.opened();
      },
      "session.list": async (filter) => ({ sessions: this.#sessions.list(filter) }),
      "session.close": async ({ sessionId }) => ({ session: this.#sessions.end(sessionId) }),
    };
  }

  /** Every client is told to come back. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#unsubscribe();
    for (const connection of this.#connections.values()) connection.fail(away());
    this.#streams?.stop();
    await this.#beating;
  }

  #receive(id: ConnectionId, frame: Uint8Array): void {
    const connection = this.#connections.get(id);
    if (connection) connection.receive(frame);
    else this.#tell(id);
  }

  #send(id: ConnectionId, frame: Uint8Array): void {
    this.#streams?.send(id, frame);
  }

  #dropAll(): void {
    for (const [id, connection] of this.#connections) {
      this.#untold.add(id);
      connection.lose();
    }
  }

  #tellDropped(): void {
    for (const id of this.#untold) this.#tell(id);
    this.#untold.clear();
  }

  /** The connection is none, or none any more: its client is to open another. */
  #tell(id: ConnectionId): void {
    try {
      this.#send(id, encodeFrame({ type: "error", error: away().toWire() }));
    } catch (error) {
      if (!hasCode(error, "UNAVAILABLE")) throw error;
    }
  }

  async #beat(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      for (const connection of this.#connections.values()) connection.beat();
      // Safe to ignore: the sleep rejects only because the server stops.
      await systemClock.sleep(beatIntervalMs, signal).catch(() => undefined);
    }
  }
}

function away(): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    "The connection to the session is over: the agent has none of that id any more",
  );
}

/** Serves the host's sessions to clients through the control plane's relays. */
import { attemptAll } from "@podfleet/base/attempt-all";
import { type Clock, systemClock } from "@podfleet/base/clock";
import { Loop } from "@podfleet/base/loop";
import { AgentStreams } from "@podfleet/bus/agent-streams";
import type { Bus } from "@podfleet/bus/connection";
import type { HostHandlers } from "@podfleet/bus/host-server";
import type { Engine } from "@podfleet/engine/engine";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ConnectionId, HostId } from "@podfleet/model/ids";
import type { SessionOpenReply, SessionOpenRequest } from "@podfleet/protocol/host/session";
import { beatIntervalMs, encodeFrame, outputHeaderBytes } from "@podfleet/protocol/stream/frame";
import type { Logger } from "pino";

import { logLoopFailure } from "../loop-failure.ts";
import { SessionConnection } from "./session-connection.ts";

type SessionHandlers = Pick<HostHandlers, "session.open" | "session.list" | "session.close">;

export interface SessionServerOptions {
  readonly bus: Bus;
  readonly hostId: HostId;
  readonly sessions: Engine["sessions"];
  readonly log: Logger;
  readonly clock?: Clock;
}

export class SessionServer {
  /** The loop that sends beats to clients and notices those that are lost. */
  readonly loop: Loop;
  readonly #sessions: Engine["sessions"];
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #connections = new Map<ConnectionId, SessionConnection>();
  /** Connections that ended while the link was down, whose clients are not told yet. */
  readonly #untold = new Set<ConnectionId>();
  readonly #unsubscribe: () => void;
  #streams: AgentStreams | undefined;

  private constructor({ bus, sessions, log, clock = systemClock }: SessionServerOptions) {
    this.#sessions = sessions;
    this.#log = log;
    this.#clock = clock;
    this.loop = new Loop({
      name: "session-beats",
      intervalMs: beatIntervalMs,
      backoff: { minMs: beatIntervalMs, maxMs: beatIntervalMs },
      clock,
      run: async () =>
        await attemptAll(this.#connections.values(), (connection) => connection.beat()),
      onFailure: logLoopFailure(log),
    });
    this.loop.start();
    this.#unsubscribe = bus.onEvent(({ type, link }) => {
      if (link !== "bulk") return;
      if (type === "disconnected") this.#dropAll();
      else if (type === "reconnected") this.#tellDropped();
    });
  }

  /** Resolves when the server is subscribed to frames. */
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
      "session.open": async (request) => await this.#open(request),
      "session.list": async (filter) => ({ sessions: this.#sessions.list(filter) }),
      "session.close": async ({ sessionId }) => ({ session: this.#sessions.end(sessionId) }),
    };
  }

  /** Ends every connection with UNAVAILABLE, so that clients resume elsewhere or later. */
  async stop(): Promise<void> {
    this.#unsubscribe();
    for (const connection of this.#connections.values()) connection.fail(noConnection());
    this.#streams?.stop();
    await this.loop.stop();
  }

  async #open(request: SessionOpenRequest): Promise<SessionOpenReply> {
    const { connectionId: id, window, ...opening } = request;
    const early: { end?: PodfleetError } = {};
    const attachment = await this.#sessions.open(opening, {
      headroom: outputHeaderBytes,
      onChange: () => this.#connections.get(id)?.pump(),
      onEnd: (error) => {
        early.end = error;
        this.#connections.get(id)?.fail(error);
      },
    });
    if (early.end) throw early.end;
    const connection = new SessionConnection(attachment, {
      window,
      clock: this.#clock,
      send: (frame) => this.#streams?.send(id, frame),
      onClose: ({ isTold }) => {
        this.#connections.delete(id);
        if (!isTold) this.#untold.add(id);
      },
      onFailure: (error) =>
        this.#log.error({ err: error, sessionId: attachment.session.id }, "session failed"),
    });
    this.#connections.set(id, connection);
    // Started after the reply.
    setImmediate(() => connection.pump());
    return connection.opened();
  }

  #receive(id: ConnectionId, frame: Uint8Array): void {
    const connection = this.#connections.get(id);
    if (connection) connection.receive(frame);
    else this.#tell(id);
  }

  #dropAll(): void {
    for (const connection of this.#connections.values()) connection.fail(noConnection());
  }

  #tellDropped(): void {
    for (const id of this.#untold) this.#tell(id);
    this.#untold.clear();
  }

  /** Tells a client that its connection does not exist here, or no longer: the client opens another one. */
  #tell(id: ConnectionId): void {
    try {
      this.#streams?.send(id, encodeFrame({ type: "error", error: noConnection().toWire() }));
    } catch (error) {
      // Safe to ignore: clients are told when the link is up again, or have noticed the silence.
      if (!hasCode(error, "UNAVAILABLE")) throw error;
    }
  }
}

function noConnection(): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    "The agent has closed the connection: open the session again to resume it",
  );
}

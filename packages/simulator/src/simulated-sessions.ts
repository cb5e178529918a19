/** The sessions of a simulated host. What is sent to their clients is up to the test; what they send is kept. */
import { AgentStreams } from "@podfleet/bus/agent-streams";
import type { Bus } from "@podfleet/bus/connection";
import { PodfleetError } from "@podfleet/model/errors";
import type { ConnectionId, HostId, SessionId } from "@podfleet/model/ids";
import type { Session } from "@podfleet/model/session";
import type {
  sessionListRequestSchema,
  SessionOpenReply,
  SessionOpenRequest,
} from "@podfleet/protocol/host/session";
import { encodeFrame, type Frame } from "@podfleet/protocol/stream/frame";
import type { z } from "zod";

type Filter = z.output<typeof sessionListRequestSchema>;

export class SimulatedSessions {
  readonly sessions = new Map<SessionId, Session>();
  readonly openings: SessionOpenRequest[] = [];
  /** What came on each connection, byte for byte. */
  readonly received = new Map<ConnectionId, Uint8Array[]>();
  /** Called before an opening is answered. */
  beforeReply: (opening: SessionOpenRequest) => void | Promise<void> = () => undefined;
  #streams: AgentStreams | undefined;

  /** The agent was started; it takes frames from now on. */
  async connect(bus: Bus, hostId: HostId): Promise<void> {
    this.#streams = await AgentStreams.open(bus, hostId, (id, frame) => {
      this.received.set(id, [...(this.received.get(id) ?? []), frame]);
    });
  }

  async open(opening: SessionOpenRequest): Promise<SessionOpenReply> {
    const { sessionId: id, containerId, spec, caller, resume, offset = 0 } = opening;
    this.openings.push(opening);
    if (resume && !this.sessions.has(id)) throw notFound(id);
    const session: Session = {
      ...{ id, containerId, run: 1, spec, tty: false, caller },
      ...{ openedAt: new Date().toISOString(), connected: true, detached: false },
      acknowledged: offset,
    };
    this.sessions.set(id, session);
    await this.beforeReply(opening);
    return { session, offset, input: { seq: 0, limit: 65_536, ended: false } };
  }

  list({ containerId, sessionId, all }: Filter): Session[] {
    return [...this.sessions.values()].filter((session) => {
      const isMeant =
        (containerId ?? session.containerId) === session.containerId &&
        (sessionId ?? session.id) === session.id;
      return isMeant && (all || session.end === undefined);
    });
  }

  close(id: SessionId): Session {
    const session = this.sessions.get(id);
    if (!session) throw notFound(id);
    const ended: Session = { ...session, connected: false, end: "closed" };
    this.sessions.set(id, ended);
    return ended;
  }

  /** To the client of the last opening, unless told otherwise. */
  send(frame: Frame | Uint8Array, connectionId = this.openings.at(-1)?.connectionId): void {
    if (connectionId === undefined) throw new Error("No session was opened");
    this.#streams?.send(connectionId, frame instanceof Uint8Array ? frame : encodeFrame(frame));
  }
}

function notFound(id: SessionId): PodfleetError {
  return new PodfleetError("SESSION_NOT_FOUND", `Cannot find session "${id}"`);
}

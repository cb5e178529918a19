/** Handlers of the messages that agents send: they put hosts, events and heartbeats on record. */
import type { Loop } from "@podfleet/base/loop";
import type { AgentHandlers } from "@podfleet/bus/agent-server";
import type { Database } from "@podfleet/db/database";
import { findDatabaseError } from "@podfleet/db/database-error";
import { registerHost } from "@podfleet/db/hosts";
import { applyEvents } from "@podfleet/db/projection";
import { PodfleetError } from "@podfleet/model/errors";
import type { HostId } from "@podfleet/model/ids";
import type { HelloRequest } from "@podfleet/protocol/agent/hello";
import type { Logger } from "pino";

import type { Traces } from "../services/traces.ts";
import type { Heartbeats } from "./heartbeats.ts";

export interface AgentHandlerOptions {
  readonly database: Database;
  readonly heartbeats: Heartbeats;
  readonly traces: Traces;
  /** Called when an agent is back: it may know the outcome of operations. */
  readonly settler: Loop;
  readonly logger: Logger;
}

export function agentHandlers(options: AgentHandlerOptions): AgentHandlers {
  const { database, heartbeats, traces, settler, logger } = options;
  return {
    hello: async (hostId, { host, images }) => {
      assertSpeaksForItself(hostId, host);
      const committedSeq = await stored(async () => await registerHost(database, host, images));
      logger.info({ host: host.name, hostId, committedSeq }, "agent connected");
      settler.trigger();
      return { committedSeq };
    },

    heartbeat: async (hostId) => heartbeats.heard(hostId),

    events: async (hostId, { events }) => {
      const committedSeq = await stored(async () => await applyEvents(database, hostId, events));
      if (committedSeq === undefined) throw notRegistered(hostId);
      const first = events[0]?.seq ?? 0;
      if (committedSeq < first) {
        logger.warn({ hostId, committedSeq, first }, "refused events that leave a gap");
      }
      return { committedSeq };
    },

    spans: async (_hostId, otlp) =>
      await stored(async () => await traces.receive(otlp, "application/x-protobuf")),
  };
}

/** Turns a failure to reach Postgres into UNAVAILABLE, for which the agent sends the message again. */
async function stored<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw findDatabaseError(error) ?? error;
  }
}

function assertSpeaksForItself(hostId: HostId, host: HelloRequest["host"]): void {
  if (host.id === hostId) return;
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot register host "${host.id}": the agent's credentials are those of host "${hostId}"`,
  );
}

function notRegistered(hostId: HostId): PodfleetError {
  return new PodfleetError(
    "HOST_NOT_FOUND",
    `Cannot take events of host "${hostId}": its agent has not said hello`,
    { details: { host: hostId } },
  );
}

/** Sessions for callers within this process, such as the Docker API. */
import { type Context, propagation } from "@opentelemetry/api";
import type { SessionOpening } from "@podfleet/api/services/sessions";
import { findDatabaseError } from "@podfleet/db/database-error";
import type { Caller } from "@podfleet/model/caller";
import { Outage } from "@podfleet/protocol/session/outage";
import { ResumingSession, type SessionPath } from "@podfleet/protocol/session/resuming-session";
import { openRequestOf } from "@podfleet/protocol/session/session-request";
import type { SessionStream } from "@podfleet/protocol/session/session-stream";

import { wireErrorOf } from "../http/wire-error.ts";
import type { Fleet } from "../services/fleet.ts";
import { closeSession } from "../services/sessions.ts";
import { LocalClient } from "./local-client.ts";
import type { SessionRelay } from "./session-relay.ts";

export class LocalSessions {
  readonly #fleet: Fleet;
  readonly #relay: SessionRelay;

  constructor(fleet: Fleet, relay: SessionRelay) {
    this.#fleet = fleet;
    this.#relay = relay;
  }

  /** Implements `SessionService.open`. */
  async open(
    { caller, callerContext, ...request }: SessionOpening,
    signal: AbortSignal,
  ): Promise<SessionStream> {
    const path = this.#pathOf(caller, headersOf(callerContext), signal);
    const session = new ResumingSession(path, openRequestOf(request, {}), { signal });
    await session.opened();
    return session;
  }

  #pathOf(caller: Caller, headers: Record<string, string>, signal: AbortSignal): SessionPath {
    return {
      connect: (request, listener) => {
        const client = new LocalClient(request, listener);
        try {
          this.#relay.take({ client, caller, headers });
        } catch (error) {
          client.fail(wireErrorOf(error));
        }
        return client.connection;
      },
      end: async (reference) => {
        try {
          await closeSession(this.#fleet, reference);
        } catch (error) {
          throw findDatabaseError(error) ?? error;
        }
      },
      outage: () => new Outage({ signal }, () => false),
    };
  }
}

/** The trace context of a caller's span as W3C headers. */
function headersOf(context: Context): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(context, headers);
  return headers;
}

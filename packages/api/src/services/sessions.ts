import type { Context } from "@opentelemetry/api";
import type { Caller } from "@podfleet/model/caller";
import type { HostId } from "@podfleet/model/ids";
import type { CommandExit, Session } from "@podfleet/model/session";
import type { SessionRequest } from "@podfleet/protocol/session/session-request";
import type { SessionStream } from "@podfleet/protocol/session/session-stream";

import type { SessionCloseRequest, SessionListRequest } from "../requests/sessions.ts";

interface SessionHost {
  readonly id: HostId;
  readonly name: string;
}

export interface ListedSession extends Session {
  /** Once its command has ended. */
  readonly exit?: CommandExit | undefined;
  /** Absent when the container is no longer on record. */
  readonly containerName?: string;
  readonly host: SessionHost;
}

export interface SessionList {
  /** Oldest first. */
  readonly sessions: ListedSession[];
  /** Hosts that did not answer: their sessions are not in the list. */
  readonly silentHosts: SessionHost[];
}

export interface SessionOpening extends SessionRequest {
  readonly caller: Caller;
  /** Holds the caller's span. */
  readonly callerContext: Context;
}

export interface SessionService {
  /**
   * Opens a session with a container's command or an exec session's, for a caller within this process; resolves when it is there. It
   * goes on across outages of its host, and ends with CANCELLED when the signal is aborted.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND, STATE_INVALID, HOST_UNREACHABLE
   */
  open(request: SessionOpening, signal: AbortSignal): Promise<SessionStream>;
  /**
   * Asks the container's host, or all hosts at once when none is named.
   * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE when the container's host does not answer
   */
  list(request: SessionListRequest): Promise<SessionList>;
  /**
   * Ends a session, wherever it is; its command runs on. Harmless when it has ended.
   * @throws PodfleetError SESSION_NOT_FOUND, CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE
   */
  close(request: SessionCloseRequest): Promise<Session>;
}

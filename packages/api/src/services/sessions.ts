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
  /** The exit code, when the command has ended. */
  readonly exit?: CommandExit | undefined;
  /** Absent when the container is no longer on record. */
  readonly containerName?: string;
  readonly host: SessionHost;
}

export interface SessionList {
  /** Sessions, oldest first. */
  readonly sessions: ListedSession[];
  /** Names of hosts that did not answer: their sessions are missing from the list. */
  readonly silentHosts: SessionHost[];
}

export interface SessionOpening extends SessionRequest {
  readonly caller: Caller;
  /** The trace context with the caller's span. */
  readonly callerContext: Context;
}

export interface SessionService {
  /**
   * Opens a session on a container's run or an exec session, for a caller within this process; resolves when it is open. It
   * is resumed after outages of its host, and ends with CANCELLED when the signal is aborted.
   * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND, STATE_INVALID, HOST_UNREACHABLE
   */
  open(request: SessionOpening, signal: AbortSignal): Promise<SessionStream>;
  /**
   * Lists the sessions of a container, or of all hosts when none is named.
   * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE when the container's host does not answer
   */
  list(request: SessionListRequest): Promise<SessionList>;
  /**
   * Ends a session; its command runs on. Has no effect on a session that has ended.
   * @throws PodfleetError SESSION_NOT_FOUND, CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE
   */
  close(request: SessionCloseRequest): Promise<Session>;
}

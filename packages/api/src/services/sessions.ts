import type { HostId } from "@podfleet/model/ids";
import type { CommandExit, Session } from "@podfleet/model/session";

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

export interface SessionService {
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

import type { ContainerId, SessionId } from "@podfleet/model/ids";
import type { SessionSpec } from "@podfleet/model/session";

export interface SessionOpening {
  readonly sessionId: SessionId;
  readonly containerId: ContainerId;
  readonly caller: string;
  readonly spec: SessionSpec;
  /** The session must exist already. */
  readonly resume: boolean;
  /** The client has the output before this offset; what it has acknowledged when absent. */
  readonly offset?: number | undefined;
}

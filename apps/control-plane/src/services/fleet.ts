import type { HostClient } from "@podfleet/bus/host-client";
import type { Database } from "@podfleet/db/database";
import { PodfleetError } from "@podfleet/model/errors";

import type { HostWatch } from "./host-watch.ts";

/** What reaching the fleet takes: its records, its agents, and the watch over them. */
export interface Fleet {
  readonly database: Database;
  readonly hosts: HostClient;
  readonly watch: HostWatch;
  /** Aborted when this process is about to end: calls that stay open end then, and their callers turn to another replica. */
  readonly draining: AbortSignal;
}

/** The error of a call that `signal`, the caller's, or the end of this process cut short. */
export function cutShort(fleet: Fleet, cause: unknown): PodfleetError {
  return fleet.draining.aborted
    ? new PodfleetError("UNAVAILABLE", "This replica of the control plane is about to end", {
        cause,
      })
    : new PodfleetError("CANCELLED", "The caller gave up", { cause });
}

import type { HostClient } from "@podfleet/bus/host-client";
import type { Database } from "@podfleet/db/database";
import { PodfleetError, type PodfleetErrorOptions } from "@podfleet/model/errors";

import type { HostWatch } from "./host-watch.ts";

/** Access to the fleet: its records, its agents, and the watch over its hosts. */
export interface Fleet {
  readonly database: Database;
  readonly hosts: HostClient;
  readonly watch: HostWatch;
  /** Aborted when this process is about to end: long calls end then, and their callers turn to another replica. */
  readonly draining: AbortSignal;
}

/** The error of a call that was cut short by its caller's signal or by the end of this process. */
export function cutShort(fleet: Fleet, cause: unknown): PodfleetError {
  return fleet.draining.aborted ? replicaEnding({ cause }) : cancelled(cause);
}

export function replicaEnding(options: PodfleetErrorOptions): PodfleetError {
  return new PodfleetError(
    "UNAVAILABLE",
    "This replica of the control plane is about to end",
    options,
  );
}

export function cancelled(cause: unknown): PodfleetError {
  return new PodfleetError("CANCELLED", "The caller gave up", { cause });
}

import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";

import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ContainerStart } from "./container-start.ts";
import { assertDependenciesRun } from "./dependency.ts";
import type { ProcessEnd } from "./process-end.ts";

export interface RestartParts {
  readonly store: Pick<StateStore, "find" | "get" | "note">;
  readonly ending: Pick<ProcessEnd, "endLocked">;
  readonly cleanup: Pick<ContainerCleanup, "cleanUpLocked">;
  readonly start: Pick<ContainerStart, "startLocked">;
}

/**
 * configured, created, running, stopped, exited → running. One that runs is stopped first; the start's commit is what ends the
 * operation, so after a crash a process that runs while it has not ended is the one to stop.
 * @throws PodfleetError STATE_INVALID, DEPENDENCY_NOT_RUNNING, and what a start may fail with; it is stopped by its user then
 */
export async function restartLocked(
  parts: RestartParts,
  id: ContainerId,
  options: { readonly operation: OperationRef; readonly timeoutSeconds?: number | undefined },
): Promise<void> {
  const { operation, timeoutSeconds } = options;
  const { snapshot, spec } = parts.store.get(id);
  assertAllowed("restart", snapshot);
  assertDependenciesRun(parts.store, id);
  if (snapshot.state === "running") {
    const timeoutMs = (timeoutSeconds ?? spec.stopTimeoutSeconds) * 1_000;
    await parts.ending.endLocked(id, { operation, timeoutMs });
    await parts.cleanup.cleanUpLocked(id, { operation });
    parts.store.note(id, { event: "container.stop", operation });
  }
  await parts.start.startLocked(id, { operation, ends: true, byPolicy: false });
}

import { assertAllowed } from "@podfleet/model/container/state";
import type { ContainerId } from "@podfleet/model/ids";

import type { OperationRef } from "../state/state-store.ts";
import { endLocked } from "./end-process.ts";
import type { EngineParts } from "./engine-parts.ts";
import { assertDependenciesRun } from "./initialize.ts";
import { startLocked } from "./start.ts";

/**
 * configured, created, running, stopped, exited → running. One that runs is stopped first; the start's commit is what ends the
 * operation, so after a crash a process that runs while it has not ended is the one to stop.
 * @throws PodfleetError STATE_INVALID, DEPENDENCY_NOT_RUNNING, and what a start may fail with; it is stopped by its user then
 */
export async function restartLocked(
  parts: EngineParts,
  id: ContainerId,
  options: { readonly operation: OperationRef; readonly timeoutSeconds?: number | undefined },
): Promise<void> {
  const { operation, timeoutSeconds } = options;
  const { snapshot, spec } = parts.store.get(id);
  assertAllowed("restart", snapshot);
  assertDependenciesRun(parts, id);
  if (snapshot.state === "running") {
    const timeoutMs = (timeoutSeconds ?? spec.stopTimeoutSeconds) * 1_000;
    await endLocked(parts, id, { operation, timeoutMs });
    await parts.cleanup.cleanUpLocked(id, { operation });
    parts.store.note(id, { event: "container.stop", operation });
  }
  await startLocked(parts, id, { operation, ends: true, byPolicy: false });
}

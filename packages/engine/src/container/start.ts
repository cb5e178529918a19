import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { StartingMark } from "../state/container-record.ts";
import type { OperationRef } from "../state/state-store.ts";
import { startOrder } from "./dependency.ts";
import type { EngineParts } from "./engine-parts.ts";
import { assertDependenciesRun, initializeLocked, initializeMsMax } from "./initialize.ts";
import { undoAfter } from "./undo.ts";

/**
 * Starts what the container depends on, each under its own lock, in order; those that run are left alone.
 * @throws PodfleetError DEPENDENCY_CYCLE, or why one could not be started
 */
export async function startDependencies(
  parts: EngineParts,
  operation: OperationRef,
  id: ContainerId,
): Promise<void> {
  const order = startOrder(id, (each) => parts.store.find(each)?.spec.dependencies ?? []);
  for (const dependency of order.slice(0, -1)) {
    await startDependency(parts, operation, { containerId: id, dependency });
  }
}

async function startDependency(
  parts: EngineParts,
  operation: OperationRef,
  ids: { readonly containerId: ContainerId; readonly dependency: ContainerId },
): Promise<void> {
  const { dependency: id } = ids;
  const { name } = parts.store.get(ids.containerId).snapshot;
  const request = { purpose: "container.start", holdMsMax: initializeMsMax };
  try {
    await parts.locks.run(id, request, async () => {
      await parts.sync.syncLocked(id, { operation });
      if (parts.store.get(id).snapshot.state === "running") return;
      await startLocked(parts, id, { operation, ends: false, byPolicy: false });
    });
  } catch (error) {
    if (!(error instanceof PodfleetError)) throw error;
    throw new PodfleetError(
      error.code,
      `Cannot start container "${name}": a dependency did not start: ${error.message}`,
      { ...(error.details ? { details: error.details } : {}), cause: error },
    );
  }
}

/**
 * configured, created, stopped, exited → running.
 * @throws PodfleetError STATE_INVALID, DEPENDENCY_NOT_RUNNING, or why it could not be started; no process is left then
 */
export async function startLocked(
  parts: EngineParts,
  id: ContainerId,
  starting: Omit<StartingMark, "atMs">,
): Promise<void> {
  assertAllowed("start", parts.store.get(id).snapshot);
  assertDependenciesRun(parts, id);
  // The mark is on disk before the runtime is told, so that after a crash nobody starts the command a second time.
  const { snapshot, processes } = parts.store.get(id);
  if (snapshot.state === "created") {
    const mark = { ...starting, atMs: parts.clock.nowMs() };
    parts.store.saveProcesses(id, { ...processes, starting: mark });
  } else {
    await initializeLocked(parts, id, { operation: starting.operation, starting });
  }
  try {
    await parts.runtime.start(id);
  } catch (error) {
    await undoAfter(error, () => parts.cleanup.unwindLocked(id));
    throw error;
  }
  parts.runs.commitStartedLocked(id);
}

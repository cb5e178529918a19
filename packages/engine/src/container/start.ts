import type { Action } from "@podfleet/model/action";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { StartingMark } from "../state/container-record.ts";
import type { OperationRef } from "../state/state-store.ts";
import { discardRemains } from "./cleanup.ts";
import { startOrder } from "./dependency.ts";
import type { EngineParts } from "./engine-parts.ts";
import { assertDependenciesRun, initializeLocked, initializeMsMax } from "./initialize.ts";
import { commitStartedLocked } from "./run.ts";
import { syncLocked } from "./sync.ts";
import { undoAfter } from "./undo.ts";

/**
 * configured, created, stopped, exited → running. With `recursive`, the containers it depends on are started first, each
 * under its own lock, in order; those that run are left alone.
 * @throws PodfleetError STATE_INVALID, DEPENDENCY_NOT_RUNNING, DEPENDENCY_CYCLE, or why it could not be started; no
 * process is left then
 */
export async function startContainer(
  parts: EngineParts,
  operation: OperationRef,
  { containerId, recursive }: Extract<Action, { verb: "container.start" }>,
): Promise<void> {
  if (recursive) {
    const order = startOrder(containerId, (id) => parts.store.find(id)?.spec.dependencies ?? []);
    for (const dependency of order.slice(0, -1)) {
      await startDependency(parts, operation, { containerId, dependency });
    }
  }
  await withStartLock(parts, containerId, async () => {
    await syncLocked(parts, containerId, { operation });
    await startLocked(parts, containerId, { operationId: operation.id, ends: true });
  });
}

async function startDependency(
  parts: EngineParts,
  operation: OperationRef,
  ids: { readonly containerId: ContainerId; readonly dependency: ContainerId },
): Promise<void> {
  const { name } = parts.store.get(ids.containerId).snapshot;
  try {
    await withStartLock(parts, ids.dependency, async () => {
      await syncLocked(parts, ids.dependency, { operation });
      if (parts.store.get(ids.dependency).snapshot.state === "running") return;
      await startLocked(parts, ids.dependency, { operationId: operation.id, ends: false });
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

async function withStartLock(
  parts: EngineParts,
  id: ContainerId,
  body: () => Promise<void>,
): Promise<void> {
  await parts.locks.run(id, { purpose: "container.start", holdMsMax: initializeMsMax }, body);
}

async function startLocked(
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
    const operation = { id: starting.operationId, verb: "container.start" } as const;
    await initializeLocked(parts, id, { operation, starting });
  }
  try {
    await parts.runtime.start(id);
  } catch (error) {
    await undoAfter(error, () => unwindLocked(parts, id));
    throw error;
  }
  commitStartedLocked(parts, id);
}

/** created → what it was before: configured, or exited when it has run. */
async function unwindLocked(parts: EngineParts, id: ContainerId): Promise<void> {
  await discardRemains(parts, id);
  const state = parts.store.get(id).snapshot.run > 0 ? "exited" : "configured";
  const gone = { pid: undefined, monitorPid: undefined, processes: {} };
  parts.store.update(id, { state, ...gone }, { event: "container.cleanup" });
}

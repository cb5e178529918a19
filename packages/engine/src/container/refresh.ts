/**
 * Making a container anew in the OCI runtime: it is taken down to `configured`, and brought back to what it was.
 *
 *     note what it was ─▶ end the process ─▶ discard its remains ─▶ configured ─▶ created, running or paused ─▶ commit
 *
 * What it was is on record before anything is done, so that an attempt that was cut off is carried on and not begun anew.
 */
import { type ContainerState } from "@podfleet/model/container/state";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import { hasProcess } from "../state/container-process.ts";
import type { OperationProgress } from "../state/operation-progress.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ContainerInit } from "./container-init.ts";
import type { ContainerStart } from "./container-start.ts";
import type { ProcessEnd } from "./process-end.ts";

export interface RefreshParts {
  readonly store: Pick<StateStore, "get" | "note" | "operations" | "update">;
  readonly runtime: Pick<OciRuntime, "pause" | "resume">;
  readonly ending: Pick<ProcessEnd, "endLocked">;
  readonly cleanup: Pick<ContainerCleanup, "discardLocked">;
  readonly init: Pick<ContainerInit, "initializeLocked">;
  readonly start: Pick<ContainerStart, "startLocked">;
}

type Restored = NonNullable<OperationProgress["restores"]>;

/**
 * created, running, paused → the same with a new process; any other → configured. Exec sessions end with the process; the counts
 * of the restart policy begin anew.
 * @throws PodfleetError STATE_INVALID, and what a start may fail with
 */
export async function refreshLocked(
  parts: RefreshParts,
  id: ContainerId,
  { operation }: { readonly operation: OperationRef },
): Promise<void> {
  const restores = noteBefore(parts, id, operation);
  if (parts.store.get(id).snapshot.run === restores.run) {
    await takeDownLocked(parts, id, operation);
    await bringBackLocked(parts, id, { operation, state: restores.state });
  }
  const { state } = parts.store.get(id).snapshot;
  const note = { event: "container.refresh", operation, ends: "succeeded" } as const;
  if (restores.state === "paused" && state === "running") {
    await parts.runtime.pause(id);
    parts.store.update(id, { state: "paused" }, note);
  } else {
    parts.store.note(id, note);
  }
}

function noteBefore(parts: RefreshParts, id: ContainerId, operation: OperationRef): Restored {
  const progress = parts.store.operations.progress(operation.id);
  if (progress.restores) return progress.restores;
  const { snapshot } = parts.store.get(id);
  assertAllowed("refresh", snapshot);
  const restores = { state: stateAfter(snapshot.state), run: snapshot.run };
  parts.store.operations.saveProgress(operation.id, { ...progress, restores });
  return restores;
}

function stateAfter(state: ContainerState): Restored["state"] {
  return state === "created" || state === "running" || state === "paused" ? state : "configured";
}

async function takeDownLocked(
  parts: RefreshParts,
  id: ContainerId,
  operation: OperationRef,
): Promise<void> {
  const { snapshot, spec } = parts.store.get(id);
  if (snapshot.state === "paused") {
    // Frozen, it could not follow its stop signal.
    await parts.runtime.resume(id);
    parts.store.update(id, { state: "running" }, { event: "container.unpause", operation });
  }
  if (hasProcess(snapshot)) {
    await parts.ending.endLocked(id, { operation, timeoutMs: spec.stopTimeoutSeconds * 1_000 });
  }
  await parts.cleanup.discardLocked(id);
  const restarts = { restartCount: 0, restartAt: undefined, restartDelayMs: undefined };
  parts.store.update(
    id,
    { state: "configured", stoppedByUser: false, error: undefined, ...restarts },
    { event: "container.cleanup", operation },
  );
}

async function bringBackLocked(
  parts: RefreshParts,
  id: ContainerId,
  { operation, state }: { readonly operation: OperationRef; readonly state: Restored["state"] },
): Promise<void> {
  switch (state) {
    case "configured":
      return;
    case "created":
      return await parts.init.initializeLocked(id, { operation });
    case "running":
    case "paused":
      return await parts.start.startLocked(id, { operation, ends: false, byPolicy: false });
  }
}

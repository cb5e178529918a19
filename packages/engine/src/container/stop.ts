import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";

import { isRestarting } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ProcessEnd } from "./process-end.ts";

export interface StopParts {
  readonly store: Pick<StateStore, "get" | "note" | "update">;
  readonly ending: Pick<ProcessEnd, "endLocked">;
  readonly cleanup: Pick<ContainerCleanup, "cleanUpLocked">;
}

export interface StopOptions {
  readonly operation: OperationRef;
  /** From the stop signal to SIGKILL; the spec's when absent. */
  readonly timeoutSeconds?: number | undefined;
  /** It was to be stopped when this was asked for, so an end that came meanwhile is what was asked for. */
  readonly wasRunning: boolean;
}

/**
 * created, running → exited: the stop signal, and SIGKILL after the timeout. One that its restart policy is about to start
 * again stays exited.
 * @throws PodfleetError ALREADY_STOPPED, STATE_INVALID
 */
export async function stopLocked(
  parts: StopParts,
  id: ContainerId,
  { operation, timeoutSeconds, wasRunning }: StopOptions,
): Promise<void> {
  const { snapshot, spec } = parts.store.get(id);
  if (!isEnded(snapshot) || !(wasRunning || isRestarting(snapshot))) {
    assertAllowed("stop", snapshot);
    const timeoutMs = (timeoutSeconds ?? spec.stopTimeoutSeconds) * 1_000;
    await parts.ending.endLocked(id, { operation, timeoutMs });
  }
  if (parts.store.get(id).snapshot.state === "stopped")
    await parts.cleanup.cleanUpLocked(id, { operation });
  const note = { event: "container.stop", operation, ends: "succeeded" } as const;
  // Its end was taken note of before that of this stop: its policy must not start it again.
  if (!parts.store.get(id).snapshot.stoppedByUser) {
    parts.store.update(id, { stoppedByUser: true, restartAt: undefined }, note);
  } else {
    parts.store.note(id, note);
  }
}

function isEnded({ state }: ContainerSnapshot): boolean {
  return state === "stopped" || state === "exited";
}

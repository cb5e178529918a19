import type { ContainerState } from "@podfleet/model/container/state";
import { hasCode } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { ContainerSync } from "./container-sync.ts";

export interface PauseParts {
  readonly store: Pick<StateStore, "get" | "update">;
  readonly runtime: Pick<OciRuntime, "pause" | "resume">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
}

export interface PauseOptions {
  readonly operation: OperationRef;
  readonly resumed: boolean;
}

/**
 * running → paused: the kernel freezes every process of the container.
 * @throws PodfleetError ALREADY_PAUSED, STATE_INVALID
 */
export async function pauseLocked(
  parts: PauseParts,
  id: ContainerId,
  options: PauseOptions,
): Promise<void> {
  await changeLocked(parts, id, { ...options, method: "pause", to: "paused" });
}

/**
 * paused → running.
 * @throws PodfleetError NOT_PAUSED
 */
export async function unpauseLocked(
  parts: PauseParts,
  id: ContainerId,
  options: PauseOptions,
): Promise<void> {
  await changeLocked(parts, id, { ...options, method: "unpause", to: "running" });
}

async function changeLocked(
  parts: PauseParts,
  id: ContainerId,
  options: PauseOptions & {
    readonly method: "pause" | "unpause";
    readonly to: ContainerState;
  },
): Promise<void> {
  const { method, to, operation, resumed } = options;
  const { snapshot } = parts.store.get(id);
  // The attempt that was cut off has done it, and the state was read from the runtime since.
  if (!(resumed && snapshot.state === to)) {
    assertAllowed(method, snapshot);
    try {
      await (method === "pause" ? parts.runtime.pause(id) : parts.runtime.resume(id));
    } catch (error) {
      if (!hasCode(error, "RUNTIME_FAILED")) throw error;
      // Its end says more than what the runtime makes of it.
      await parts.sync.syncLocked(id, { operation });
      assertAllowed(method, parts.store.get(id).snapshot);
      throw error;
    }
  }
  const note = { event: `container.${method}`, operation, ends: "succeeded" } as const;
  parts.store.update(id, { state: to }, note);
}

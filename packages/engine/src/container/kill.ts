import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { sigkill } from "@podfleet/model/signal";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import { hasProcess } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";

export interface KillParts {
  readonly store: Pick<StateStore, "get" | "update">;
  readonly runtime: Pick<OciRuntime, "kill">;
}

/**
 * Sends a signal to the process of a running container and marks the container as stopped by its user.
 * @throws PodfleetError STATE_INVALID; INTERRUPTED when the engine ended during the first attempt and a second signal
 * could be one too many
 */
export async function killLocked(
  parts: KillParts,
  id: ContainerId,
  options: {
    readonly operation: OperationRef;
    readonly signal: number;
    readonly resumed: boolean;
  },
): Promise<void> {
  const { operation, signal, resumed } = options;
  const { snapshot } = parts.store.get(id);
  if (resumed && signal !== sigkill) {
    throw new PodfleetError(
      "INTERRUPTED",
      `Cannot tell whether signal ${signal} reached container "${snapshot.name}": the agent ended meanwhile`,
      { details: { container: snapshot.name, signal } },
    );
  }
  // SIGKILL may be sent twice; an end that came meanwhile is what it asked for.
  if (!resumed || hasProcess(snapshot)) {
    assertAllowed("kill", snapshot);
    await parts.runtime.kill(id, signal);
  }
  const note = { event: "container.kill", attributes: { signal }, operation } as const;
  const changes = { stoppedByUser: true, restartAt: undefined };
  parts.store.update(id, changes, { ...note, ends: "succeeded" });
}

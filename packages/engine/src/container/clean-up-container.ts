import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";

import { isRestarting } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ContainerExecs } from "./container-execs.ts";
import type { ContainerStart } from "./container-start.ts";

export interface CleanUpParts {
  readonly store: Pick<StateStore, "get" | "note" | "update">;
  readonly containerExecs: Pick<ContainerExecs, "findAliveOf">;
  readonly cleanup: Pick<ContainerCleanup, "discardLocked" | "unwindLocked">;
  readonly start: Pick<ContainerStart, "startLocked">;
}

/**
 * Takes down whatever there is of a container beside its storage: created and stopped → exited, or configured when it has never run; the
 * state of one that has been cleaned up stays. One that its restart policy is about to start again is started instead, at once.
 * @throws PodfleetError STATE_INVALID; EXEC_IN_USE that names the exec session whose command is alive
 */
export async function cleanUpContainerLocked(
  parts: CleanUpParts,
  id: ContainerId,
  { operation }: { readonly operation: OperationRef },
): Promise<void> {
  const { snapshot } = parts.store.get(id);
  assertAllowed("cleanup", snapshot);
  if (isRestarting(snapshot)) {
    return await parts.start.startLocked(id, { operation, ends: true, byPolicy: true });
  }
  assertNoExecs(parts, id);
  if (snapshot.mount) {
    parts.store.update(id, { mount: undefined }, { event: "container.unmount", operation });
  }
  const ends = "succeeded";
  switch (snapshot.state) {
    case "created":
    case "stopped":
      return await parts.cleanup.unwindLocked(id, { operation, ends });
    default:
      await parts.cleanup.discardLocked(id);
      parts.store.note(id, { event: "container.cleanup", operation, ends });
  }
}

function assertNoExecs(parts: CleanUpParts, id: ContainerId): void {
  const execId = parts.containerExecs.findAliveOf(id);
  if (execId === undefined) return;
  const { name } = parts.store.get(id).snapshot;
  throw new PodfleetError(
    "EXEC_IN_USE",
    `Cannot clean up container "${name}": the command of exec session "${execId}" is alive, kill it first`,
    { details: { container: name, execId } },
  );
}

import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { identityOf, isAlive } from "@podfleet/oci/process/process-identity";

import { isRestarting } from "../state/container-process.ts";
import type { OperationRef } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";
import { startLocked } from "./start.ts";

/**
 * Takes down whatever there is of a container beside its storage: created and stopped → exited, or configured when it has never run; the
 * state of one that has been cleaned up stays. One that its restart policy is about to start again is started instead, at once.
 * @throws PodfleetError STATE_INVALID; EXEC_IN_USE that names the exec session whose command is alive
 */
export async function cleanUpContainerLocked(
  parts: EngineParts,
  id: ContainerId,
  { operation }: { readonly operation: OperationRef },
): Promise<void> {
  const { snapshot } = parts.store.get(id);
  assertAllowed("cleanup", snapshot);
  if (isRestarting(snapshot)) {
    return await startLocked(parts, id, { operation, ends: true, byPolicy: true });
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

function assertNoExecs(parts: EngineParts, id: ContainerId): void {
  const live = parts.execs.listOf(id).find(({ session, processes }) => {
    const process = identityOf(session.pid, processes.startTicks);
    return session.state === "running" && process !== undefined && isAlive(process);
  });
  if (!live) return;
  const { name } = parts.store.get(id).snapshot;
  throw new PodfleetError(
    "EXEC_IN_USE",
    `Cannot clean up container "${name}": the command of exec session "${live.session.id}" is alive, kill it first`,
    { details: { container: name, execId: live.session.id } },
  );
}

import type { Action } from "@podfleet/model/action";
import { assertAllowed } from "@podfleet/model/container/state";

import type { OperationRef } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";
import { resyncLocked } from "./sync.ts";

const syncMsMax = 120_000;

/**
 * Asks the OCI runtime how the container is and corrects the record; a record that is right is left alone.
 * @throws PodfleetError STATE_INVALID while it is being removed
 */
export async function syncContainer(
  parts: EngineParts,
  operation: OperationRef,
  { containerId: id, verb }: Extract<Action, { verb: "container.sync" }>,
): Promise<void> {
  await parts.locks.run(id, { purpose: verb, holdMsMax: syncMsMax }, async () => {
    assertAllowed("sync", parts.store.get(id).snapshot);
    await resyncLocked(parts, id, { operation });
    parts.store.note(id, { event: "operation.finished", operation, ends: "succeeded" });
  });
}

import { type ContainerRow, findContainerById, getContainer } from "@podfleet/db/containers";
import { hasCode } from "@podfleet/model/errors";
import { containerIdSchema } from "@podfleet/model/ids";

import type { Fleet } from "./fleet.ts";
import { unreachable } from "./unreachable.ts";

/**
 * Finds a container by name, id or id prefix; by the full id also one that was removed lately.
 * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID
 */
export async function getKnownContainer(fleet: Fleet, reference: string): Promise<ContainerRow> {
  try {
    return await getContainer(fleet.database, reference);
  } catch (error) {
    const id = containerIdSchema.safeParse(reference);
    if (!hasCode(error, "CONTAINER_NOT_FOUND") || !id.success) throw error;
    const removed = await findContainerById(fleet.database, id.data);
    if (!removed) throw error;
    return removed;
  }
}

/**
 * Finds a container whose host is reachable.
 * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE
 */
export async function getReachableContainer(
  fleet: Fleet,
  reference: string,
): Promise<ContainerRow> {
  const row = await getKnownContainer(fleet, reference);
  if (row.host.state === "unreachable") throw unreachable(row.host);
  return row;
}

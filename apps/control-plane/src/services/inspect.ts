import { findContainerSpec, getContainer, summaryOf } from "@podfleet/db/containers";
import { applySnapshot } from "@podfleet/db/projection";
import type { ContainerInspect } from "@podfleet/model/container/record";
import { hasCode, isUnreachable } from "@podfleet/model/errors";

import type { Fleet } from "./fleet.ts";

/** A connected agent answers in milliseconds; the record is better than a long wait. */
const timeoutMs = 2_000;

/**
 * Inspects a container: asks its agent, or takes the record when the agent does not answer.
 * @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID
 */
export async function inspectContainer(fleet: Fleet, reference: string): Promise<ContainerInspect> {
  const row = await getContainer(fleet.database, reference);
  const spec = await findContainerSpec(fleet.database, row.id);
  if (!spec) throw new Error(`Container "${row.id}" has no spec on record`);
  const record = {
    ...summaryOf(row),
    spec,
    revision: row.revision,
    source: "record",
    asOf: row.host.lastSeenAt.toISOString(),
  } as const;
  if (row.host.state === "unreachable") return record;
  try {
    const call = { payload: { containerId: row.id }, timeoutMs };
    const reply = await fleet.hosts.request(row.host.id, "inspect", call);
    const { container, asOf, healthLog, paths } = reply;
    if (container.revision > row.revision) {
      await applySnapshot(fleet.database, row.host.id, container);
    }
    const { revision } = container;
    return {
      ...summaryOf(row, container),
      spec: reply.spec,
      ...{ revision, source: "agent", asOf, paths },
      ...(healthLog ? { healthLog } : {}),
    };
  } catch (error) {
    // CONTAINER_NOT_FOUND: the container is recorded and not created yet.
    if (isUnreachable(error) || hasCode(error, "CONTAINER_NOT_FOUND")) return record;
    throw error;
  }
}

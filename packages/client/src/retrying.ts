import { PodfleetError } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";
import type { OperationId } from "@podfleet/model/ids";
import { isNotDelivered } from "@podfleet/model/operation";
import { Outage, persist as persistThrough } from "@podfleet/protocol/session/outage";
import type { OutageOptions } from "@podfleet/protocol/session/outage";

import { wasNeverSent } from "./connection.ts";

/**
 * Runs a mutation exactly once, even when the control plane is killed during it. Each attempt carries the same operation id, so a
 * repeated one returns the recorded outcome. An attempt that certainly did not reach its host is followed by one with a new id.
 *
 *     await retrying((operationId) => client.api.containers.start.mutate({ operationId, container: "web" }));
 *
 * Only failures to reach the control plane are retried. Every answer is final, an error too.
 * @throws PodfleetError UNAVAILABLE after an outage of `outageMaxMs`
 */
export async function retrying<T>(
  mutation: (operationId: OperationId) => Promise<T>,
  options: OutageOptions = {},
): Promise<T> {
  let operationId = newOperationId();
  return await persist(async () => {
    try {
      return await mutation(operationId);
    } catch (error) {
      if (error instanceof PodfleetError && isNotDelivered(error)) operationId = newOperationId();
      throw error;
    }
  }, options);
}

/** Like `retrying`, for a call that changes nothing and may be repeated. */
export async function persist<T>(call: () => Promise<T>, options: OutageOptions = {}): Promise<T> {
  return await persistThrough(call, new Outage(options, wasNeverSent));
}

import { PodfleetError } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";
import type { OperationId } from "@podfleet/model/ids";
import { isNotDelivered } from "@podfleet/model/operation";
import { Outage, persist as persistThrough } from "@podfleet/protocol/session/outage";
import type { OutageOptions } from "@podfleet/protocol/session/outage";

import { wasNeverSent } from "./connection.ts";

/**
 * Runs a mutation exactly once although the control plane may be killed in the middle of it: each attempt carries the same
 * operation id, so one that had already taken effect returns its recorded outcome. Only after one that has certainly not reached its host
 * the next is another operation.
 *
 *     await retrying((operationId) => client.api.containers.start.mutate({ operationId, container: "web" }));
 *
 * Only failures to reach the control plane are retried; an answer, good or bad, is final.
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

/** As `retrying`, for a call that may be repeated because it changes nothing. */
export async function persist<T>(call: () => Promise<T>, options: OutageOptions = {}): Promise<T> {
  return await persistThrough(call, new Outage(options, wasNeverSent));
}

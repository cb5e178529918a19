import type { Database } from "@podfleet/db/database";
import { lockSoleAttempt } from "@podfleet/db/operations";
import { applyOutcome } from "@podfleet/db/projection";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { HostId, OperationId } from "@podfleet/model/ids";
import { notDelivered, type OperationOutcome } from "@podfleet/model/operation";

interface UnreachableHost {
  readonly id: HostId;
  readonly name: string;
}

/** The error of a call that changes nothing. */
export function unreachable(host: UnreachableHost): PodfleetError {
  return new PodfleetError(
    "HOST_UNREACHABLE",
    `Cannot reach host "${host.name}": its agent does not answer`,
    { details: { host: host.name } },
  );
}

/** Whether `error` says that the host is silent, by its heartbeats. A request without a reply does not say so. */
export function isSilent(error: unknown): boolean {
  return hasCode(error, "HOST_UNREACHABLE") && error.details?.["delivered"] === undefined;
}

/** The outcome of an operation that certainly has not reached its host, and never will. */
export function undelivered(host: UnreachableHost): PodfleetError {
  return new PodfleetError(
    "HOST_UNREACHABLE",
    `Cannot reach host "${host.name}": its agent does not answer; nothing was done`,
    { details: { host: host.name, ...notDelivered } },
  );
}

/** The error of an operation that was sent to a host which then fell silent. */
export function outcomePending(host: UnreachableHost): PodfleetError {
  return new PodfleetError(
    "HOST_UNREACHABLE",
    `Cannot reach host "${host.name}": its agent does not answer; the outcome is recorded when it is back`,
    { details: { host: host.name, outcome: "pending" } },
  );
}

export function failedOutcome(error: PodfleetError): OperationOutcome {
  return { status: "failed", error: error.toWire() };
}

/**
 * Records that an operation was not delivered, if no other attempt may have sent it.
 * @returns whether it did
 */
export async function failUndelivered(
  database: Database,
  host: UnreachableHost,
  id: OperationId,
): Promise<boolean> {
  return await database.transaction(async (transaction) => {
    if (!(await lockSoleAttempt(transaction, id))) return false;
    const outcome = failedOutcome(undelivered(host));
    await applyOutcome(transaction, host.id, { id, outcome });
    return true;
  });
}

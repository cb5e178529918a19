/**
 * Admits a new container: chooses its host, reserves its resources and its name, and records the operation, in one
 * transaction under the placement lock, so that replicas never give the same thing twice.
 */
import { type AdmittedOperation, recordCreation } from "@podfleet/db/admission";
import type { ContainerRow } from "@podfleet/db/containers";
import type { Database } from "@podfleet/db/database";
import { insertOperation } from "@podfleet/db/operations";
import {
  locateContainers,
  lockPlacement,
  type PlacementHost,
  type PlacementRecords,
} from "@podfleet/db/placement";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import { newContainerId } from "@podfleet/model/ids";
import type { Placement } from "@podfleet/model/placement";
import { reservationOf } from "@podfleet/model/resources";
import { place } from "@podfleet/planner/place";

import { makeContainerName } from "./container-name.ts";
import { failedOutcome } from "./unreachable.ts";

export type Admission =
  | { readonly type: "admitted"; readonly container: ContainerRow }
  /** The operation is recorded as failed with `error`. */
  | { readonly type: "refused"; readonly error: PodfleetError }
  /** Another request has recorded the operation's id first. */
  | { readonly type: "id-taken" };

export interface Admittance {
  readonly spec: ContainerSpec;
  /** The placement to use in place of the spec's. */
  readonly placement?: Placement | undefined;
  /** The image that its host must have, in place of the spec's. */
  readonly image?: string;
  /** `pending` while an upload has to reach the host before the operation. */
  readonly status: "pending" | "dispatched";
}

export async function admitContainer(
  database: Database,
  operation: AdmittedOperation,
  admittance: Admittance,
): Promise<Admission> {
  const { spec, status } = admittance;
  return await database.transaction(async (transaction) => {
    const id = newContainerId();
    const { name, records } = await lockName(transaction, spec.name);
    const chosen = await choose(transaction, admittance, { name, ...records });
    if (chosen instanceof PodfleetError) {
      const outcome = failedOutcome(chosen);
      const refused = { ...operation, container: { id, name }, outcome };
      const isRecorded = await insertOperation(transaction, refused, "dispatched");
      return isRecorded ? { type: "refused", error: chosen } : { type: "id-taken" };
    }
    const container = await recordCreation(
      transaction,
      { ...operation, status },
      { id, name, host: chosen, spec, reservation: reservationOf(spec.resources) },
    );
    return container ? { type: "admitted", container } : { type: "id-taken" };
  });
}

async function choose(
  transaction: Database,
  { spec, placement = spec.placement, image = spec.image }: Admittance,
  { name, isNameTaken, hosts }: PlacementRecords & { readonly name: string },
): Promise<PlacementHost | PodfleetError> {
  if (isNameTaken) return nameInUse(name);
  const dependencies = await locateContainers(transaction, spec.dependencies);
  const missing = spec.dependencies.find((id) => !dependencies.some((each) => each.id === id));
  if (missing !== undefined) return dependencyNotFound(missing);
  const reservation = reservationOf(spec.resources);
  const decision = place({ reservation, placement, image, dependencies }, hosts);
  return "error" in decision ? decision.error : decision.host;
}

const nameAttemptsMax = 10;

/** Takes the placement lock and chooses the container's name; without `wanted`, a free name is generated. */
async function lockName(
  transaction: Database,
  wanted: string | undefined,
): Promise<{ name: string; records: PlacementRecords }> {
  for (let attempt = 0; attempt < nameAttemptsMax; attempt += 1) {
    const name = wanted ?? makeContainerName(attempt);
    const records = await lockPlacement(transaction, name);
    if (wanted !== undefined || !records.isNameTaken) return { name, records };
  }
  throw new Error(`${nameAttemptsMax} generated container names were all taken`);
}

function nameInUse(name: string): PodfleetError {
  return new PodfleetError(
    "NAME_IN_USE",
    `Cannot create container ${JSON.stringify(name)}: another container of the fleet has that name`,
    { details: { name } },
  );
}

function dependencyNotFound(id: string): PodfleetError {
  return new PodfleetError(
    "CONTAINER_NOT_FOUND",
    `Cannot create the container: its dependency "${id}" does not exist`,
    { details: { container: id } },
  );
}

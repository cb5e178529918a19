/**
 * Admits a new container: chooses its host, reserves its resources and its name, and records the operation, in one
 * transaction under one lock, so that replicas never give the same thing twice.
 */
import { lockInTransaction } from "@podfleet/db/advisory-lock";
import type { SummedContainer } from "@podfleet/db/containers";
import type { Database } from "@podfleet/db/database";
import type { HostLiveness } from "@podfleet/db/hosts";
import { insertOperation, type NewOperation } from "@podfleet/db/operations";
import {
  insertContainer,
  isNameTaken,
  listPlacementHosts,
  locateContainers,
  type PlacementHost,
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
  | {
      readonly type: "admitted";
      readonly container: SummedContainer;
      readonly host: HostLiveness;
    }
  /** Recorded as failed with `error`. */
  | { readonly type: "refused"; readonly error: PodfleetError }
  /** Another request with the operation's id was faster. */
  | { readonly type: "id-taken" };

export interface Admittance {
  readonly spec: ContainerSpec;
  /** Where it may run; the spec's when absent. */
  readonly placement?: Placement | undefined;
  /** The image that its host is to have; the spec's when absent. */
  readonly image?: string;
  /** `pending` while there is more to send to the host than the operation. */
  readonly status: "pending" | "dispatched";
}

export async function admitContainer(
  database: Database,
  operation: Omit<NewOperation, "container" | "hostId" | "outcome">,
  admittance: Admittance,
): Promise<Admission> {
  const { spec, status } = admittance;
  return await database.transaction(async (transaction) => {
    await lockInTransaction(transaction, "placement");
    const id = newContainerId();
    const { name, refusal } = await chooseName(transaction, spec.name);
    const chosen = refusal ?? (await chooseHost(transaction, admittance));
    if (chosen instanceof PodfleetError) {
      const refused = { ...operation, container: { id, name }, outcome: failedOutcome(chosen) };
      const isRecorded = await insertOperation(transaction, refused, "dispatched");
      return isRecorded ? { type: "refused", error: chosen } : { type: "id-taken" };
    }
    const admitted = { ...operation, container: { id, name }, hostId: chosen.id };
    if (!(await insertOperation(transaction, admitted, status))) return { type: "id-taken" };
    const reservation = reservationOf(spec.resources);
    const container = { id, name, hostId: chosen.id, spec, reservation };
    const inserted = await insertContainer(transaction, container);
    const row = { id, name, ...inserted, snapshot: null, host: chosen };
    return { type: "admitted", container: row, host: chosen };
  });
}

async function chooseHost(
  transaction: Database,
  { spec, placement = spec.placement, image = spec.image }: Admittance,
): Promise<PlacementHost | PodfleetError> {
  const dependencies = await locateContainers(transaction, spec.dependencies);
  const missing = spec.dependencies.find((id) => !dependencies.some((each) => each.id === id));
  if (missing !== undefined) return dependencyNotFound(missing);
  const hosts = await listPlacementHosts(transaction);
  const reservation = reservationOf(spec.resources);
  const decision = place({ reservation, placement, image, dependencies }, hosts);
  return "error" in decision ? decision.error : decision.host;
}

const nameAttemptsMax = 10;

async function chooseName(
  transaction: Database,
  wanted: string | undefined,
): Promise<{ name: string; refusal?: PodfleetError }> {
  if (wanted !== undefined) {
    const isTaken = await isNameTaken(transaction, wanted);
    return { name: wanted, ...(isTaken ? { refusal: nameInUse(wanted) } : {}) };
  }
  for (let attempt = 0; attempt < nameAttemptsMax; attempt += 1) {
    const name = makeContainerName(attempt);
    if (!(await isNameTaken(transaction, name))) return { name };
  }
  throw new Error(`${nameAttemptsMax} names made up for a container were all taken`);
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

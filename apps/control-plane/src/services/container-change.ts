/**
 * Admits a mutation that may change a container's name or limits: claims the names and the further reservation on its host, and records
 * the operation, in one transaction under the placement lock, so that nobody else gets them. The claims end with the
 * operation; what it has changed comes with the host's report.
 */
import { lockInTransaction } from "@podfleet/db/advisory-lock";
import { type ContainerRow, findContainerSpec } from "@podfleet/db/containers";
import type { Database } from "@podfleet/db/database";
import { getHost } from "@podfleet/db/hosts";
import { insertOperation, type NewOperation } from "@podfleet/db/operations";
import { insertClaims, isNameTaken } from "@podfleet/db/placement";
import { isPolicyPossible, type ContainerSpec } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerChange, ContainerMutation } from "@podfleet/model/mutation";
import { type Capacity, changeResources, reservationOf } from "@podfleet/model/resources";
import type { Step } from "@podfleet/model/verb/batch-verb";
import type { Claim } from "@podfleet/model/verb/definition";
import { claimsOf, type VerbClaiming } from "@podfleet/model/verb/verbs";
import { findGrowthRefusal } from "@podfleet/planner/grow";

import { failedOutcome } from "./unreachable.ts";

export type ChangeAdmission =
  | { readonly type: "admitted" }
  /** The operation is recorded as failed with `error`. */
  | { readonly type: "refused"; readonly error: PodfleetError }
  /** Another request has recorded the operation's id first. */
  | { readonly type: "id-taken" };

export interface ChangeRequest {
  readonly operation: Omit<NewOperation, "container" | "hostId" | "outcome">;
  readonly container: ContainerRow;
  readonly change: ContainerChange;
}

export function isChange(mutation: ContainerMutation): mutation is ContainerChange {
  return claimsOf(mutation.verb).length > 0;
}

export async function admitChange(
  database: Database,
  { operation, container, change }: ChangeRequest,
): Promise<ChangeAdmission> {
  return await database.transaction(async (transaction) => {
    await lockInTransaction(transaction, "placement");
    const claim = await claimOf(transaction, container, change);
    const recorded = { ...operation, container, hostId: container.host.id };
    if (claim instanceof PodfleetError) {
      const refused = { ...recorded, outcome: failedOutcome(claim) };
      const isRecorded = await insertOperation(transaction, refused, "dispatched");
      return isRecorded ? { type: "refused", error: claim } : { type: "id-taken" };
    }
    if (!(await insertOperation(transaction, recorded, "dispatched"))) return { type: "id-taken" };
    await insertClaims(transaction, {
      operationId: operation.id,
      hostId: container.host.id,
      ...claim,
    });
    return { type: "admitted" };
  });
}

interface Wanted {
  readonly names: readonly string[];
  /** The specs that the steps give the container, in order. */
  readonly specs: readonly ContainerSpec[];
}

async function claimOf(
  transaction: Database,
  container: ContainerRow,
  change: ContainerChange,
): Promise<{ names: readonly string[]; extra: Capacity } | PodfleetError> {
  const spec = await findContainerSpec(transaction, container.id);
  if (!spec) throw new Error(`Container "${container.id}" has no spec on record`);
  const { names, specs } = wantedBy(change, spec);
  // A batch may rename the container back to its present name; that needs no claim.
  const except = change.verb === "container.batch" ? container.id : undefined;
  for (const name of names) {
    if (await isNameTaken(transaction, name, except)) return nameInUse(container.name, name);
  }
  if (!specs.every(isPolicyPossible)) return policyImpossible(container.name);
  const extra = growth(spec, specs);
  if (extra.cpuMillis === 0 && extra.memoryBytes === 0) return { names, extra };
  const host = await getHost(transaction, container.host.id);
  return findGrowthRefusal(container, extra, host) ?? { names, extra };
}

function wantedBy(change: ContainerChange, spec: ContainerSpec): Wanted {
  const steps = change.verb === "container.batch" ? change.steps : [change];
  const names = new Set<string>();
  const specs: ContainerSpec[] = [];
  for (const step of steps) {
    if (isClaiming(step, "name")) names.add(step.name);
    if (!isClaiming(step, "resources")) continue;
    const { resources, restartPolicy } = step;
    const current = specs.at(-1) ?? spec;
    specs.push({
      ...current,
      ...(resources ? { resources: changeResources(current.resources, resources) } : {}),
      ...(restartPolicy ? { restartPolicy } : {}),
    });
  }
  return { names: [...names], specs };
}

function isClaiming<C extends Claim>(
  step: Step,
  claim: C,
): step is Extract<Step, { readonly verb: VerbClaiming<C> }> {
  return claimsOf(step.verb).includes(claim);
}

function growth(present: ContainerSpec, wanted: readonly ContainerSpec[]): Capacity {
  const reserved = reservationOf(present.resources);
  const most = (key: keyof Capacity): number =>
    Math.max(0, ...wanted.map(({ resources }) => reservationOf(resources)[key] - reserved[key]));
  return { cpuMillis: most("cpuMillis"), memoryBytes: most("memoryBytes") };
}

function nameInUse(container: string, name: string): PodfleetError {
  return new PodfleetError(
    "NAME_IN_USE",
    `Cannot rename container "${container}" to "${name}": a container of the fleet has that name`,
    { details: { name } },
  );
}

function policyImpossible(container: string): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot update container "${container}": restart policy must be "no" as it is removed when its run ends`,
    { details: { field: "restartPolicy", container } },
  );
}

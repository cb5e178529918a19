import type { RestartPolicy } from "@podfleet/model/container/restart-policy";
import { isPolicyPossible } from "@podfleet/model/container/spec";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { changeResources, type ResourceChanges } from "@podfleet/model/resources";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";
import type { HostLimits } from "@podfleet/oci/spec/host-limits";
import { updatedResources } from "@podfleet/oci/spec/resources";

import type { EnginePaths } from "../host/engine-paths.ts";
import { hasProcess } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { OperationRef } from "../state/state-store.ts";

export interface UpdateParts {
  readonly paths: Pick<EnginePaths, "bundle">;
  readonly store: Pick<StateStore, "get" | "update">;
  readonly runtime: Pick<OciRuntime, "update">;
  readonly hostLimits: HostLimits;
}

export interface UpdateOptions {
  readonly operation: OperationRef;
  readonly resources?: ResourceChanges | undefined;
  readonly restartPolicy?: RestartPolicy | undefined;
}

/**
 * Changes the spec; new limits hold at once for a container with a process. A new restart policy decides about the next end; one
 * that is "no" takes back a restart that is due.
 * @throws PodfleetError STATE_INVALID; INVALID_INPUT for a restart policy of a container that is removed when its run ends; RUNTIME_FAILED
 * when the kernel refuses a limit, and nothing has changed then
 */
export async function updateLocked(
  parts: UpdateParts,
  id: ContainerId,
  { operation, resources, restartPolicy }: UpdateOptions,
): Promise<void> {
  const record = parts.store.get(id);
  const { snapshot } = record;
  assertAllowed("update", snapshot);
  const changes = {
    ...(resources ? { resources: changeResources(record.spec.resources, resources) } : {}),
    ...(restartPolicy ? { restartPolicy } : {}),
  };
  const spec = { ...record.spec, ...changes };
  if (!isPolicyPossible(spec)) {
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot update container "${snapshot.name}": restart policy must be "no" as it is removed when its run ends`,
      { details: { field: "restartPolicy", container: snapshot.name } },
    );
  }
  if (resources && hasProcess(snapshot)) {
    const limits = updatedResources(spec, parts.hostLimits);
    await parts.runtime.update(id, limits, parts.paths.bundle(id));
  }
  const restartAt = spec.restartPolicy.name === "no" ? undefined : snapshot.restartAt;
  const specChanges = { ...snapshot.specChanges, ...changes };
  const note = { event: "container.update", operation, ends: "succeeded" } as const;
  parts.store.update(id, { spec, specChanges, restartAt }, note);
}

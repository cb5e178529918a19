import { rm } from "node:fs/promises";

import type { Action } from "@podfleet/model/action";
import { type ContainerSnapshot, isCheckpointed } from "@podfleet/model/container/snapshot";
import { assertAllowed, isAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import { hasProcess } from "../state/container-process.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import type { OperationRef } from "../state/state-store.ts";
import { dependentsOfContainer, removalOrder } from "./dependency.ts";
import { endLocked } from "./end-process.ts";
import type { EngineParts } from "./engine-parts.ts";

const removeMsMax = 120_000;

/**
 * Removes the container and what is its own on disk. With `force` it is killed first when it runs; with `dependents`, those
 * that depend on it are removed before it, each under its own lock.
 * @throws PodfleetError STATE_INVALID, DEPENDENCY_IN_USE
 */
export async function removeContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: Extract<Action, { verb: "container.remove" }>,
): Promise<void> {
  const { containerId, force } = action;
  parts.store.get(containerId);
  if (action.dependents) {
    const order = removalOrder(containerId, parts.store.list());
    for (const dependent of order.slice(0, -1)) {
      await removeOne(parts, dependent, { operation, force, ends: false });
    }
  }
  await removeOne(parts, containerId, { operation, force, ends: true });
}

interface RemoveOptions {
  readonly operation: OperationRef;
  readonly force: boolean;
  /** It is the container that the operation is about, not a dependent. */
  readonly ends: boolean;
}

async function removeOne(
  parts: EngineParts,
  id: ContainerId,
  { operation, force, ends }: RemoveOptions,
): Promise<void> {
  const request = { purpose: "container.remove", holdMsMax: removeMsMax };
  await parts.locks.run(id, request, async () => {
    // A dependent that somebody else removed meanwhile is as gone as it should be.
    if (!ends && !parts.store.find(id)) return;
    await parts.sync.syncLocked(id, { operation });
    assertRemovable(parts.store.get(id).snapshot, force);
    assertNoDependents(parts, id);
    await discardContainerLocked(parts, id, { operation, ends });
  });
}

function assertRemovable(snapshot: ContainerSnapshot, force: boolean): void {
  if (force) {
    assertAllowed("forceRemove", snapshot);
  } else if (!isAllowed("remove", snapshot.state)) {
    throw new PodfleetError(
      "STATE_INVALID",
      `Cannot remove container "${snapshot.name}": state is "${snapshot.state}", stop it first or remove it with force`,
      { details: { container: snapshot.name, state: snapshot.state } },
    );
  }
}

function assertNoDependents(parts: EngineParts, id: ContainerId): void {
  const dependents = dependentsOfContainer(id, parts.store.list()).map(({ snapshot }) => snapshot);
  if (dependents.length === 0) return;
  const list = dependents.map(({ name, state }) => `"${name}" (${state})`).join(", ");
  const { name } = parts.store.get(id).snapshot;
  throw new PodfleetError(
    "DEPENDENCY_IN_USE",
    `Cannot remove container "${name}": others depend on it: ${list}, remove them first or with it`,
    { details: { container: name, dependents: dependents.map(({ id, name }) => ({ id, name })) } },
  );
}

/**
 * Any state → gone. Each step may be repeated, so a removal that was cut off is continued from its start.
 * @throws PodfleetError DEPENDENCY_IN_USE when a dependent was created meanwhile
 */
export async function discardContainerLocked(
  parts: EngineParts,
  id: ContainerId,
  options: { readonly operation?: OperationRef; readonly ends?: boolean } = {},
): Promise<void> {
  const { operation, ends = false } = options;
  if (hasProcess(parts.store.get(id).snapshot)) {
    await endLocked(parts, id, { operation, timeoutMs: 0 });
  }
  await parts.cleanup.discardLocked(id);
  if (parts.store.get(id).snapshot.state !== "removing") {
    // From this commit on nobody can come to depend on it.
    assertNoDependents(parts, id);
    parts.store.update(id, { state: "removing" }, { event: "container.cleanup", operation });
  }
  await parts.storage.remove(id);
  await rm(parts.paths.bundle(id), { recursive: true, force: true });
  parts.store.remove(id, {
    event: "container.remove",
    operation,
    ends: ends ? "succeeded" : undefined,
  });
}

/** Whether it goes when its run has ended. A checkpoint is not the end of it: a restore goes on. */
export function isToBeRemoved({
  spec,
  snapshot,
}: Pick<ContainerRecord, "spec" | "snapshot">): boolean {
  return spec.autoRemove && !isCheckpointed(snapshot);
}

import type { Action } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { PodfleetError } from "@podfleet/model/errors";
import type { ImageId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import { initProgram } from "@podfleet/oci/bundle/bundle";
import { findTool } from "@podfleet/oci/process/run-command";

import type { OperationRef } from "../state/state-store.ts";
import { startOrder } from "./dependency.ts";
import type { EngineParts } from "./engine-parts.ts";
import { undoAfter } from "./undo.ts";

type CreateAction = Extract<Action, { verb: "container.create" }>;

const createMsMax = 60_000;

/**
 * Nothing → configured: the record and the storage.
 * @throws PodfleetError INVALID_INPUT, NAME_IN_USE, IMAGE_NOT_FOUND, CONTAINER_NOT_FOUND for a dependency that does not
 * exist, DEPENDENCY_CYCLE, UNSUPPORTED when the host lacks what it needs
 */
export async function createContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: CreateAction,
): Promise<void> {
  const { containerId: id, verb } = action;
  await parts.locks.run(id, { purpose: verb, holdMsMax: createMsMax }, async () => {
    assertCreatable(parts, action);
    await parts.storage.create(id);
    try {
      commitCreatedLocked(parts, operation, action);
    } catch (error) {
      await undoAfter(error, () => parts.storage.remove(id));
      throw error;
    }
  });
  // It is to be started, as a rule.
  parts.monitorCgroup.moves.expectSoon();
}

function commitCreatedLocked(
  parts: EngineParts,
  operation: OperationRef,
  action: CreateAction,
): void {
  // What was checked may have changed meanwhile; between this and the commit nothing can.
  const image = assertCreatable(parts, action);
  const snapshot = newSnapshot(parts, action, image.id);
  const note = { event: "container.create", operation, ends: "succeeded" } as const;
  parts.store.create({ spec: action.spec, snapshot, processes: {} }, note);
}

/** A container that has never run. */
export function newSnapshot(
  parts: EngineParts,
  { containerId: id, name }: NewContainer,
  imageId: ImageId,
): ContainerSnapshot {
  return {
    id,
    name,
    revision: 1,
    state: "configured",
    imageId,
    run: 0,
    exitedRun: 0,
    exitUnknown: false,
    oomKilled: false,
    stoppedByUser: false,
    restartCount: 0,
    createdAt: new Date(parts.clock.nowMs()).toISOString(),
  };
}

export type NewContainer = Pick<CreateAction, "containerId" | "name" | "spec">;

/**
 * Whether the host can have such a container now; returns its image.
 * @throws PodfleetError see `createContainer`
 */
export function assertCreatable(
  parts: EngineParts,
  { containerId: id, name, spec }: NewContainer,
): Image {
  assertNew(parts, { containerId: id, name });
  assertDependenciesExist(parts, { containerId: id, name, spec });
  if (spec.init) findTool(initProgram);
  const image = parts.images.find(spec.image);
  if (image !== undefined) return image;
  throw new PodfleetError(
    "IMAGE_NOT_FOUND",
    `Cannot create container "${name}": image "${spec.image}" is not loaded on the host`,
    { details: { field: "image", image: spec.image } },
  );
}

/** @throws PodfleetError INVALID_INPUT for an id that was used before, NAME_IN_USE */
export function assertNew(
  parts: EngineParts,
  { containerId: id, name }: Pick<NewContainer, "containerId" | "name">,
): void {
  if (parts.store.find(id) ?? parts.store.findRemoved(id)) {
    throw new PodfleetError(
      "INVALID_INPUT",
      `Cannot create container "${name}": id "${id}" is taken, must be one that was never used`,
      { details: { field: "containerId", containerId: id } },
    );
  }
  if (parts.store.list().some(({ snapshot }) => snapshot.name === name)) {
    throw new PodfleetError(
      "NAME_IN_USE",
      `Cannot create container "${name}": the host has a container of that name`,
      { details: { field: "name", name } },
    );
  }
}

function assertDependenciesExist(
  parts: EngineParts,
  { containerId, name, spec }: NewContainer,
): void {
  startOrder(containerId, (id) =>
    id === containerId ? spec.dependencies : (parts.store.find(id)?.spec.dependencies ?? []),
  );
  const missing = spec.dependencies.find((id) => {
    const dependency = parts.store.find(id)?.snapshot;
    return dependency === undefined || dependency.state === "removing";
  });
  if (missing === undefined) return;
  throw new PodfleetError(
    "CONTAINER_NOT_FOUND",
    `Cannot create container "${name}": it depends on container "${missing}", which the host does not have`,
    { details: { field: "dependencies", containerId: missing } },
  );
}

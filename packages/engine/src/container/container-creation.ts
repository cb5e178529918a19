import type { Clock } from "@podfleet/base/clock";
import type { ActionOf } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { PodfleetError } from "@podfleet/model/errors";
import type { ImageId } from "@podfleet/model/ids";
import type { Image } from "@podfleet/model/image";
import { initProgram } from "@podfleet/oci/bundle/bundle";
import type { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import { findTool } from "@podfleet/oci/process/run-command";
import type { ImageStore } from "@podfleet/storage/image/image-store";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { ContainerLocks } from "../lock/container-locks.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import { startOrder } from "./dependency.ts";
import { undoAfter } from "./undo.ts";

type CreateAction = ActionOf<"container.create">;

export type NewContainer = Pick<CreateAction, "containerId" | "name" | "spec">;

const createMsMax = 60_000;

export interface ContainerCreationParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly store: Pick<StateStore, "create" | "find" | "findRemoved" | "list">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly images: Pick<ImageStore, "find">;
  readonly storage: Pick<ContainerStorage, "create" | "remove">;
  readonly monitorCgroup: Pick<HoldingCgroup, "moves">;
}

/** Takes new containers into the engine's records. */
export class ContainerCreation {
  readonly #parts: ContainerCreationParts;

  constructor(parts: ContainerCreationParts) {
    this.#parts = parts;
  }

  /**
   * Nothing → configured: the record and the storage.
   * @throws PodfleetError INVALID_INPUT, NAME_IN_USE, IMAGE_NOT_FOUND, CONTAINER_NOT_FOUND for a dependency that does not
   * exist, DEPENDENCY_CYCLE, UNSUPPORTED when the host lacks what it needs
   */
  async create(operation: OperationRef, action: CreateAction): Promise<void> {
    const { locks, monitorCgroup, storage } = this.#parts;
    const { containerId: id, verb } = action;
    await locks.run(id, { purpose: verb, holdMsMax: createMsMax }, async () => {
      this.assertCreatable(action);
      await storage.create(id);
      try {
        this.#commitLocked(operation, action);
      } catch (error) {
        await undoAfter(error, () => storage.remove(id));
        throw error;
      }
    });
    // A created container is started soon, as a rule.
    monitorCgroup.moves.expectSoon();
  }

  #commitLocked(operation: OperationRef, action: CreateAction): void {
    // What was checked may have changed meanwhile; between this and the commit nothing can.
    const image = this.assertCreatable(action);
    const snapshot = this.newSnapshot(action, image.id);
    const note = { event: "container.create", operation, ends: "succeeded" } as const;
    this.#parts.store.create({ spec: action.spec, snapshot, processes: {} }, note);
  }

  /** The snapshot of a container that has never run. */
  newSnapshot({ containerId: id, name }: NewContainer, imageId: ImageId): ContainerSnapshot {
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
      createdAt: new Date(this.#parts.clock.nowMs()).toISOString(),
    };
  }

  /**
   * Returns the image of a container that the host can have now.
   * @throws PodfleetError see `create`
   */
  assertCreatable({ containerId: id, name, spec }: NewContainer): Image {
    this.assertNew({ containerId: id, name });
    this.#assertDependenciesExist({ containerId: id, name, spec });
    if (spec.init) findTool(initProgram);
    const image = this.#parts.images.find(spec.image);
    if (image !== undefined) return image;
    throw new PodfleetError(
      "IMAGE_NOT_FOUND",
      `Cannot create container "${name}": image "${spec.image}" is not loaded on the host`,
      { details: { field: "image", image: spec.image } },
    );
  }

  /** @throws PodfleetError INVALID_INPUT for an id that was used before, NAME_IN_USE */
  assertNew({ containerId: id, name }: Pick<NewContainer, "containerId" | "name">): void {
    const { store } = this.#parts;
    if (store.find(id) ?? store.findRemoved(id)) {
      throw new PodfleetError(
        "INVALID_INPUT",
        `Cannot create container "${name}": id "${id}" is taken, must be one that was never used`,
        { details: { field: "containerId", containerId: id } },
      );
    }
    if (store.list().some(({ snapshot }) => snapshot.name === name)) {
      throw new PodfleetError(
        "NAME_IN_USE",
        `Cannot create container "${name}": the host has a container of that name`,
        { details: { field: "name", name } },
      );
    }
  }

  #assertDependenciesExist({ containerId, name, spec }: NewContainer): void {
    const { store } = this.#parts;
    startOrder(containerId, (id) =>
      id === containerId ? spec.dependencies : (store.find(id)?.spec.dependencies ?? []),
    );
    const missing = spec.dependencies.find((id) => {
      const dependency = store.find(id)?.snapshot;
      return dependency === undefined || dependency.state === "removing";
    });
    if (missing === undefined) return;
    throw new PodfleetError(
      "CONTAINER_NOT_FOUND",
      `Cannot create container "${name}": it depends on container "${missing}", which the host does not have`,
      { details: { field: "dependencies", containerId: missing } },
    );
  }
}

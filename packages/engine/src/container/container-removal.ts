import { rm } from "node:fs/promises";

import type { ActionOf } from "@podfleet/model/action";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed, isAllowed } from "@podfleet/model/verb/container-methods";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess } from "../state/container-process.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ContainerSync } from "./container-sync.ts";
import { dependentsOfContainer, removalOrder } from "./dependency.ts";
import type { ProcessEnd } from "./process-end.ts";

const removeMsMax = 120_000;

export interface ContainerRemovalParts {
  readonly paths: Pick<EnginePaths, "bundle">;
  readonly store: Pick<StateStore, "find" | "get" | "list" | "remove" | "update">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly storage: Pick<ContainerStorage, "remove">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly ending: Pick<ProcessEnd, "endLocked">;
  readonly cleanup: Pick<ContainerCleanup, "discardLocked">;
}

interface RemoveOptions {
  readonly operation: OperationRef;
  readonly force: boolean;
  /** It is the container that the operation is about, not a dependent. */
  readonly ends: boolean;
}

/** Removes containers with what is their own on disk. */
export class ContainerRemoval {
  readonly #parts: ContainerRemovalParts;

  constructor(parts: ContainerRemovalParts) {
    this.#parts = parts;
  }

  /**
   * Any state that is not running or paused → gone. With `force` a container that runs is killed first; with `dependents`,
   * the containers that depend on it are removed before it, each under its own lock.
   * @throws PodfleetError STATE_INVALID, DEPENDENCY_IN_USE
   */
  async remove(operation: OperationRef, action: ActionOf<"container.remove">): Promise<void> {
    const { store } = this.#parts;
    const { containerId, force } = action;
    store.get(containerId);
    if (action.dependents) {
      for (const dependent of removalOrder(containerId, store.list()).slice(0, -1)) {
        await this.#removeOne(dependent, { operation, force, ends: false });
      }
    }
    await this.#removeOne(containerId, { operation, force, ends: true });
  }

  /**
   * Any state → gone. Each step may be repeated, so a removal that was cut off is continued from its start.
   * @throws PodfleetError DEPENDENCY_IN_USE when a dependent was created meanwhile
   */
  async removeLocked(
    id: ContainerId,
    options: { readonly operation?: OperationRef; readonly ends?: boolean } = {},
  ): Promise<void> {
    const { cleanup, ending, paths, storage, store } = this.#parts;
    const { operation, ends = false } = options;
    if (hasProcess(store.get(id).snapshot)) {
      await ending.endLocked(id, { operation, timeoutMs: 0 });
    }
    await cleanup.discardLocked(id);
    if (store.get(id).snapshot.state !== "removing") {
      // From this commit on nobody can come to depend on it.
      assertNoDependents(store, id);
      store.update(id, { state: "removing" }, { event: "container.cleanup", operation });
    }
    await storage.remove(id);
    await rm(paths.bundle(id), { recursive: true, force: true });
    store.remove(id, {
      event: "container.remove",
      operation,
      ends: ends ? "succeeded" : undefined,
    });
  }

  async #removeOne(id: ContainerId, { operation, force, ends }: RemoveOptions): Promise<void> {
    const { locks, store, sync } = this.#parts;
    const request = { purpose: "container.remove", holdMsMax: removeMsMax };
    await locks.run(id, request, async () => {
      // A dependent that somebody else removed meanwhile is as gone as it should be.
      if (!ends && !store.find(id)) return;
      await sync.syncLocked(id, { operation });
      assertRemovable(store.get(id).snapshot, force);
      assertNoDependents(store, id);
      await this.removeLocked(id, { operation, ends });
    });
  }
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

function assertNoDependents(store: Pick<StateStore, "get" | "list">, id: ContainerId): void {
  const dependents = dependentsOfContainer(id, store.list()).map(({ snapshot }) => snapshot);
  if (dependents.length === 0) return;
  const list = dependents.map(({ name, state }) => `"${name}" (${state})`).join(", ");
  const { name } = store.get(id).snapshot;
  throw new PodfleetError(
    "DEPENDENCY_IN_USE",
    `Cannot remove container "${name}": others depend on it: ${list}, remove them first or with it`,
    { details: { container: name, dependents: dependents.map(({ id, name }) => ({ id, name })) } },
  );
}

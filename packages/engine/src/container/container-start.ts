import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import type { ContainerLocks } from "../lock/container-locks.ts";
import type { StartingMark } from "../state/container-record.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import { type ContainerInit, initializeMsMax } from "./container-init.ts";
import type { ContainerSync } from "./container-sync.ts";
import { assertDependenciesRun, startOrder } from "./dependency.ts";
import type { RunRecords } from "./run-records.ts";
import { undoAfter } from "./undo.ts";

export interface ContainerStartParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly store: Pick<StateStore, "find" | "get" | "saveProcesses">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly runtime: Pick<OciRuntime, "start">;
  readonly runs: Pick<RunRecords, "commitStartedLocked">;
  readonly cleanup: Pick<ContainerCleanup, "unwindLocked">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly init: Pick<ContainerInit, "initializeLocked">;
}

/** Starts containers, and the containers they depend on. */
export class ContainerStart {
  readonly #parts: ContainerStartParts;

  constructor(parts: ContainerStartParts) {
    this.#parts = parts;
  }

  /**
   * configured, created, stopped, exited → running.
   * @throws PodfleetError STATE_INVALID, DEPENDENCY_NOT_RUNNING, or why it could not be started; no process is left then
   */
  async startLocked(id: ContainerId, starting: Omit<StartingMark, "atMs">): Promise<void> {
    const { cleanup, clock, init, runs, runtime, store } = this.#parts;
    assertAllowed("start", store.get(id).snapshot);
    assertDependenciesRun(store, id);
    // The mark is on disk before the runtime is told, so that after a crash nobody starts the command a second time.
    const { snapshot, processes } = store.get(id);
    if (snapshot.state === "created") {
      const mark = { ...starting, atMs: clock.nowMs() };
      store.saveProcesses(id, { ...processes, starting: mark });
    } else {
      await init.initializeLocked(id, { operation: starting.operation, starting });
    }
    try {
      await runtime.start(id);
    } catch (error) {
      await undoAfter(error, () => cleanup.unwindLocked(id));
      throw error;
    }
    runs.commitStartedLocked(id);
  }

  /**
   * Starts what the container depends on, each under its own lock, in order; those that run are left alone.
   * @throws PodfleetError DEPENDENCY_CYCLE, or why one could not be started
   */
  async startDependencies(operation: OperationRef, id: ContainerId): Promise<void> {
    const { store } = this.#parts;
    const order = startOrder(id, (each) => store.find(each)?.spec.dependencies ?? []);
    for (const dependency of order.slice(0, -1)) {
      await this.#startDependency(operation, { containerId: id, dependency });
    }
  }

  async #startDependency(
    operation: OperationRef,
    ids: { readonly containerId: ContainerId; readonly dependency: ContainerId },
  ): Promise<void> {
    const { locks, store, sync } = this.#parts;
    const { dependency: id } = ids;
    const { name } = store.get(ids.containerId).snapshot;
    const request = { purpose: "container.start", holdMsMax: initializeMsMax };
    try {
      await locks.run(id, request, async () => {
        await sync.syncLocked(id, { operation });
        if (store.get(id).snapshot.state === "running") return;
        await this.startLocked(id, { operation, ends: false, byPolicy: false });
      });
    } catch (error) {
      if (!(error instanceof PodfleetError)) throw error;
      throw new PodfleetError(
        error.code,
        `Cannot start container "${name}": a dependency did not start: ${error.message}`,
        { ...(error.details ? { details: error.details } : {}), cause: error },
      );
    }
  }
}

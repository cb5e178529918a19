import type { Clock } from "@podfleet/base/clock";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { findStartTicks } from "@podfleet/oci/process/process-identity";

import type { StartingMark } from "../state/container-record.ts";
import type { CommitNote, OperationRef, StateStore } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import { assertDependenciesRun } from "./dependency.ts";
import type { ProcessCreation } from "./process-creation.ts";

export const initializeMsMax = 120_000;

export interface ContainerInitParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly store: Pick<StateStore, "find" | "get" | "update">;
  readonly cleanup: Pick<ContainerCleanup, "cleanUpLocked">;
  readonly processes: Pick<ProcessCreation, "createLocked">;
}

/** Brings a container to `created`: its process exists and waits to run the command. */
export class ContainerInit {
  readonly #parts: ContainerInitParts;

  constructor(parts: ContainerInitParts) {
    this.#parts = parts;
  }

  /**
   * configured, stopped, exited → created.
   * @throws PodfleetError STATE_INVALID, DEPENDENCY_NOT_RUNNING, or why it could not be created; nothing is left then
   */
  async initLocked(
    id: ContainerId,
    { operation }: { readonly operation: OperationRef },
  ): Promise<void> {
    const { store } = this.#parts;
    assertAllowed("init", store.get(id).snapshot);
    assertDependenciesRun(store, id);
    await this.initializeLocked(id, { operation, ends: "succeeded" });
  }

  /** Commits `created`, with what `note` says, and with `starting` kept for the start that follows. */
  async initializeLocked(
    id: ContainerId,
    options: Pick<CommitNote, "operation" | "ends"> & {
      readonly starting?: Omit<StartingMark, "atMs">;
    },
  ): Promise<void> {
    const { cleanup, clock, processes, store } = this.#parts;
    const { starting, ...note } = options;
    if (store.get(id).snapshot.state === "stopped") {
      await cleanup.cleanUpLocked(id, { operation: note.operation });
    }
    const { pid, monitorPid } = await processes.createLocked(store.get(id));
    const identities = {
      startTicks: findStartTicks(pid),
      monitorStartTicks: findStartTicks(monitorPid),
      ...(starting ? { starting: { ...starting, atMs: clock.nowMs() } } : {}),
    };
    // A restart by policy is due until the command runs, so that an engine that ends before that is not the end of it.
    const restart = starting?.byPolicy ? {} : { restartAt: undefined };
    store.update(
      id,
      { state: "created", pid, monitorPid, error: undefined, ...restart, processes: identities },
      { event: "container.init", ...note },
    );
  }
}

/** Brings a container's record in line with what its processes and the OCI runtime say. */
import type { Clock } from "@podfleet/base/clock";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { cgroupDirectories, type CgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";
import { thawCgroup } from "@podfleet/oci/cgroup/container-cgroup";
import {
  endProcess,
  identityOf,
  isAlive,
  type ProcessIdentity,
} from "@podfleet/oci/process/process-identity";
import type { OciRuntime, RuntimeStatus } from "@podfleet/oci/runtime/runtime";

import { hasProcess, isMonitorAlive } from "../state/container-process.ts";
import type { ContainerRecord } from "../state/container-record.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { ContainerCleanup } from "./container-cleanup.ts";
import type { ExitWatcher } from "./exit-watcher.ts";
import type { RunRecords } from "./run-records.ts";

/** How long the exit code of a process that has ended is waited for: its monitor writes out the rest of the output first. */
const exitFileTimeoutMs = 10_000;
const endTimeoutMs = 5_000;

export interface SyncParts {
  readonly clock: Clock;
  readonly store: Pick<StateStore, "get" | "update">;
  readonly exits: Pick<ExitWatcher, "find" | "wait">;
  readonly runtime: Pick<OciRuntime, "state">;
  readonly runs: RunRecords;
  readonly cleanup: Pick<ContainerCleanup, "cleanUpLocked">;
  readonly cgroups: CgroupHierarchies;
  /** The cgroup below which each container has its own. */
  readonly cgroupParent: string;
}

export interface SyncOptions {
  /** The operation on whose behalf; the events name it. */
  readonly operation?: OperationRef | undefined;
  /** A user asked for the end that may be found. */
  readonly stoppedByUser?: boolean;
}

/** Each method is called with the container's lock held. */
export class ContainerSync {
  readonly #parts: SyncParts;

  constructor(parts: SyncParts) {
    this.#parts = parts;
  }

  /**
   * Takes note of an end that the monitor has put on file, or of the monitor's own end: the first step of every method. Costs two
   * file reads.
   */
  async syncLocked(id: ContainerId, options: SyncOptions = {}): Promise<void> {
    const { exits, runs, store } = this.#parts;
    const record = store.get(id);
    if (!hasProcess(record.snapshot)) return;
    const monitorAlive = isMonitorAlive(record);
    // Looked for after the monitor: its file may come in between, and counts.
    const exit = exits.find(id);
    if (exit) {
      runs.commitExitLocked(id, { ...options, exit });
    } else if (!monitorAlive) {
      await this.loseProcessLocked(record, options);
    }
  }

  /**
   * Asks the OCI runtime after `syncLocked`, corrects what the record has wrong, and cleans up after a process that has ended.
   * Writes nothing when all is right.
   */
  async resyncLocked(id: ContainerId, options: SyncOptions = {}): Promise<void> {
    const { cleanup, runtime, store } = this.#parts;
    await this.syncLocked(id, options);
    if (hasProcess(store.get(id).snapshot)) {
      const found = await runtime.state(id);
      await this.correctLocked(id, { ...options, status: found?.status });
    }
    const { state } = store.get(id).snapshot;
    if (state === "stopped") await cleanup.cleanUpLocked(id, { operation: options.operation });
  }

  /** Corrects the record of a container with a process by the OCI runtime's status; undefined: the runtime does not know it. */
  async correctLocked(
    id: ContainerId,
    options: SyncOptions & { readonly status: RuntimeStatus | undefined },
  ): Promise<void> {
    const { runs, store } = this.#parts;
    const { status, operation } = options;
    if (status === undefined || status === "stopped") {
      await this.#concludeLocked(id, options);
      return;
    }
    if (status === "created") return;
    if (store.get(id).snapshot.state === "created") runs.commitStartedLocked(id);
    if (store.get(id).snapshot.state === status) return;
    store.update(id, { state: status }, { event: "container.sync", operation });
  }

  /** The runtime has no process for the container any more: if there is none, its monitor is about to say how it ended. */
  async #concludeLocked(id: ContainerId, options: SyncOptions): Promise<void> {
    const { exits, store } = this.#parts;
    const { snapshot, processes } = store.get(id);
    const identity = identityOf(snapshot.pid, processes.startTicks);
    if (!identity || !isAlive(identity)) await exits.wait(id, exitFileTimeoutMs);
    await this.syncLocked(id, options);
    const record = store.get(id);
    if (hasProcess(record.snapshot)) await this.loseProcessLocked(record, options);
  }

  /** Ends what is left of a run whose exit code cannot be learnt any more. */
  async loseProcessLocked(record: ContainerRecord, options: SyncOptions): Promise<void> {
    const { cgroupParent, cgroups, clock, runs } = this.#parts;
    const { id, state } = record.snapshot;
    if (state === "paused") thawCgroup(cgroupDirectories(cgroups, `${cgroupParent}/${id}`));
    for (const identity of processesOf(record)) await endProcess(identity, endTimeoutMs, clock);
    runs.commitUnknownExitLocked(id, options);
  }
}

function processesOf({ snapshot, processes }: ContainerRecord): ProcessIdentity[] {
  const monitor = identityOf(snapshot.monitorPid, processes.monitorStartTicks);
  const container = identityOf(snapshot.pid, processes.startTicks);
  return [monitor, container].filter((identity) => identity !== undefined);
}

/**
 * Syncs the container with the OCI runtime as a step of its own.
 * @throws PodfleetError STATE_INVALID
 */
export async function resyncContainerLocked(
  {
    store,
    sync,
  }: { readonly store: Pick<StateStore, "get" | "succeed">; readonly sync: ContainerSync },
  id: ContainerId,
  { operation }: { readonly operation: OperationRef },
): Promise<void> {
  assertAllowed("sync", store.get(id).snapshot);
  await sync.resyncLocked(id, { operation });
  store.succeed(id, operation);
}

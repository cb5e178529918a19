/**
 * The restore of a container from its checkpoint:
 *
 *     mark ─▶ the monitor has the runtime revive the processes ─▶ commit
 *
 * The processes run before the commit says so. After a crash, the mark has the next engine look for them. It takes them into the record when
 * they run under their monitor or have run to their end; it ends any others and revives the processes again.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import type { ActionOf } from "@podfleet/model/action";
import type { RestoreOptions } from "@podfleet/model/container/checkpoint";
import { checkpointEntries } from "@podfleet/model/container/checkpoint";
import { initialHealth } from "@podfleet/model/container/healthcheck";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { containerPidFile, type MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { findMonitorPid, findPid } from "@podfleet/oci/monitor/pid-files";
import { findStartTicks } from "@podfleet/oci/process/process-identity";
import { readArguments } from "@podfleet/oci/process/process-table";
import { type OciRuntime, resourceArguments } from "@podfleet/oci/runtime/runtime";

import type { ContainerCleanup } from "../container/container-cleanup.ts";
import type { ContainerSync } from "../container/container-sync.ts";
import { assertDependenciesRun } from "../container/dependency.ts";
import type { ExitWatcher } from "../container/exit-watcher.ts";
import type { ProcessCreation } from "../container/process-creation.ts";
import { assertCheckpointsSupported, type CheckpointSupport } from "../host/checkpoint-support.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import { criuFailure, restoreFiles } from "./criu-log.ts";
import { findManifest } from "./manifest.ts";

const restoreMsMax = 15 * 60_000;

type RestoreTask = RestoreOptions & { readonly operation: OperationRef };

export interface RestoreParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly paths: Pick<EnginePaths, "bundle" | "checkpoint">;
  readonly store: Pick<StateStore, "find" | "get" | "saveProcesses" | "update">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly exits: Pick<ExitWatcher, "find">;
  readonly runtime: Pick<OciRuntime, "state">;
  readonly cleanup: Pick<ContainerCleanup, "cleanUpLocked" | "discardLocked">;
  readonly containerProcesses: Pick<ProcessCreation, "createLocked">;
  readonly checkpointSupport: Promise<CheckpointSupport>;
}

export class ContainerRestore {
  readonly #parts: RestoreParts;

  constructor(parts: RestoreParts) {
    this.#parts = parts;
  }

  /**
   * configured, stopped, exited → running, in a new run. The checkpoint is deleted, unless it is to be kept.
   * @throws PodfleetError STATE_INVALID, CHECKPOINT_NOT_FOUND, DEPENDENCY_NOT_RUNNING, UNSUPPORTED; CHECKPOINT_FAILED with CRIU's
   * reason, and the container is as before
   */
  async restore(operation: OperationRef, action: ActionOf<"container.restore">): Promise<void> {
    const { locks, sync } = this.#parts;
    const { containerId: id, verb } = action;
    await locks.run(id, { purpose: verb, holdMsMax: restoreMsMax }, async () => {
      await sync.syncLocked(id, { operation });
      await this.restoreLocked(id, { ...action, operation });
    });
  }

  /** Restores the container and commits that the operation has succeeded. */
  async restoreLocked(id: ContainerId, task: RestoreTask): Promise<void> {
    const { paths } = this.#parts;
    const { operation, keep } = task;
    const revived =
      (await this.#findRevivedLocked(id, operation)) ?? (await this.#reviveLocked(id, task));
    this.#commitRestored(id, { operation, revived, keep });
    if (!keep) {
      await rm(paths.checkpoint(id), { recursive: true, force: true });
      for (const name of Object.values(restoreFiles)) {
        await rm(join(paths.bundle(id), name), { force: true });
      }
    }
  }

  /** Finds the processes that an attempt of this operation which was cut off has revived, whether they still run or not. */
  async #findRevivedLocked(
    id: ContainerId,
    operation: OperationRef,
  ): Promise<MonitoredProcess | undefined> {
    const { cleanup, exits, paths, runtime, store } = this.#parts;
    if (store.get(id).processes.restoring !== operation.id) return undefined;
    const bundle = paths.bundle(id);
    const [pid, monitorPid] = await Promise.all([
      findPid(join(bundle, containerPidFile)),
      findMonitorPid(bundle),
    ]);
    // A monitor whose runtime had not finished ends with the engine, and leaves processes without a monitor.
    const isWatched =
      exits.find(id) !== undefined ||
      (isMonitorOf(monitorPid, id) && (await runtime.state(id))?.status === "running");
    if (isWatched && pid !== undefined && monitorPid !== undefined) return { pid, monitorPid };
    await cleanup.discardLocked(id);
    return undefined;
  }

  async #reviveLocked(id: ContainerId, task: RestoreTask): Promise<MonitoredProcess> {
    const { checkpointSupport, cleanup, containerProcesses, paths, store } = this.#parts;
    const { operation, tcpEstablished, fileLocks } = task;
    assertCheckpointsSupported(await checkpointSupport);
    const { name, checkpoint, state } = store.get(id).snapshot;
    assertAllowed("restore", store.get(id).snapshot);
    const directory = paths.checkpoint(id);
    if (!checkpoint || !(await findManifest(directory))) throw noCheckpoint(name);
    assertDependenciesRun(store, id);
    if (state === "stopped") await cleanup.cleanUpLocked(id, { operation });
    // On disk before the processes run, so that no engine revives them a second time after a crash.
    store.saveProcesses(id, { restoring: operation.id });
    try {
      return await containerProcesses.createLocked(store.get(id), {
        imageDirectory: join(directory, checkpointEntries.image),
        runtimeArguments: resourceArguments({ tcpEstablished, fileLocks }),
      });
    } catch (error) {
      store.saveProcesses(id, {});
      if (!hasCode(error, "RUNTIME_FAILED")) throw error;
      const log = join(paths.bundle(id), restoreFiles.log);
      throw await criuFailure(error, `restore container "${name}"`, log);
    }
  }

  #commitRestored(
    id: ContainerId,
    restored: {
      readonly operation: OperationRef;
      readonly revived: MonitoredProcess;
      readonly keep: boolean;
    },
  ): void {
    const { clock, store } = this.#parts;
    const { operation, revived, keep } = restored;
    const { pid, monitorPid } = revived;
    const { snapshot, spec } = store.get(id);
    const run = snapshot.run + 1;
    const processes = {
      startTicks: findStartTicks(pid),
      monitorStartTicks: findStartTicks(monitorPid),
    };
    const startedAt = new Date(clock.nowMs()).toISOString();
    store.update(
      id,
      {
        ...{ state: "running", run, restoredRun: run, pid, monitorPid, startedAt, processes },
        ...(spec.healthcheck ? initialHealth : {}),
        checkpoint: keep ? snapshot.checkpoint : undefined,
        stoppedByUser: false,
        restartAt: undefined,
        error: undefined,
      },
      { event: "container.restore", operation, ends: "succeeded" },
    );
  }
}

function isMonitorOf(pid: number | undefined, id: ContainerId): boolean {
  return pid !== undefined && readArguments(pid).includes(id);
}

function noCheckpoint(name: string): PodfleetError {
  return new PodfleetError(
    "CHECKPOINT_NOT_FOUND",
    `Cannot restore container "${name}": it has no checkpoint, checkpoint it first`,
    { details: { container: name } },
  );
}

/**
 * Going on with a run where its checkpoint left off.
 *
 *     mark ─▶ the monitor has the runtime revive the processes ─▶ commit
 *
 * The processes run before the commit says so. After a crash the mark has the next engine look for them: those that run under their
 * monitor, or have run to their end, are taken into the record. Others are ended, and revived anew.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";

import type { Action } from "@podfleet/model/action";
import type { RestoreOptions } from "@podfleet/model/container/checkpoint";
import { checkpointEntries } from "@podfleet/model/container/checkpoint";
import { initialHealth } from "@podfleet/model/container/healthcheck";
import { assertAllowed } from "@podfleet/model/container/state";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { containerPidFile, type MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { findMonitorPid, findPid } from "@podfleet/oci/monitor/pid-files";
import { findStartTicks } from "@podfleet/oci/process/process-identity";
import { readArguments } from "@podfleet/oci/process/process-table";
import { resourceArguments } from "@podfleet/oci/runtime/runtime";

import { assertDependenciesRun } from "../container/dependency.ts";
import type { EngineParts } from "../container/engine-parts.ts";
import type { OperationRef } from "../state/state-store.ts";
import { criuFailure, restoreFiles } from "./criu-log.ts";
import { findManifest } from "./manifest.ts";
import { assertCheckpointsSupported } from "./support.ts";

type RestoreAction = Extract<Action, { verb: "container.restore" }>;

const restoreMsMax = 15 * 60_000;

/**
 * configured, stopped, exited → running, in a run of its own. The checkpoint is used up, unless it is to be kept.
 * @throws PodfleetError STATE_INVALID, CHECKPOINT_NOT_FOUND, DEPENDENCY_NOT_RUNNING, UNSUPPORTED; CHECKPOINT_FAILED with CRIU's reason,
 * the container is as before then
 */
export async function restoreContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: RestoreAction,
): Promise<void> {
  const { containerId: id, verb } = action;
  await parts.locks.run(id, { purpose: verb, holdMsMax: restoreMsMax }, async () => {
    await parts.sync.syncLocked(id, { operation });
    await restoreLocked(parts, id, { ...action, operation });
  });
}

/** Ends the operation well. */
export async function restoreLocked(
  parts: EngineParts,
  id: ContainerId,
  options: RestoreOptions & { readonly operation: OperationRef },
): Promise<void> {
  const { operation, keep } = options;
  const revived = (await findRevived(parts, id, operation)) ?? (await revive(parts, id, options));
  commitRestored(parts, id, { operation, revived, keep });
  if (!keep) {
    await rm(parts.paths.checkpoint(id), { recursive: true, force: true });
    for (const name of Object.values(restoreFiles)) {
      await rm(join(parts.paths.bundle(id), name), { force: true });
    }
  }
}

/** The processes that an attempt of this operation which was cut off has revived, whether they still run or not. */
async function findRevived(
  parts: EngineParts,
  id: ContainerId,
  operation: OperationRef,
): Promise<MonitoredProcess | undefined> {
  const { store, paths, exits, runtime } = parts;
  if (store.get(id).processes.restoring !== operation.id) return undefined;
  const bundle = paths.bundle(id);
  const [pid, monitorPid] = await Promise.all([
    findPid(join(bundle, containerPidFile)),
    findMonitorPid(bundle),
  ]);
  // A monitor whose runtime had not finished ends with the engine: what it leaves is without one.
  const isWatched =
    exits.find(id) !== undefined ||
    (isMonitorOf(monitorPid, id) && (await runtime.state(id))?.status === "running");
  if (isWatched && pid !== undefined && monitorPid !== undefined) return { pid, monitorPid };
  await parts.cleanup.discardLocked(id);
  return undefined;
}

function isMonitorOf(pid: number | undefined, id: ContainerId): boolean {
  return pid !== undefined && readArguments(pid).includes(id);
}

async function revive(
  parts: EngineParts,
  id: ContainerId,
  options: RestoreOptions & { readonly operation: OperationRef },
): Promise<MonitoredProcess> {
  const { store, paths } = parts;
  const { operation, tcpEstablished, fileLocks } = options;
  assertCheckpointsSupported(await parts.checkpointSupport);
  const { name, checkpoint, state } = store.get(id).snapshot;
  assertAllowed("restore", store.get(id).snapshot);
  const directory = paths.checkpoint(id);
  if (!checkpoint || !(await findManifest(directory))) throw noCheckpoint(name);
  assertDependenciesRun(parts.store, id);
  if (state === "stopped") await parts.cleanup.cleanUpLocked(id, { operation });
  // On disk before the processes run, so that after a crash nobody revives them a second time.
  store.saveProcesses(id, { restoring: operation.id });
  try {
    return await parts.containerProcesses.createLocked(store.get(id), {
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

function commitRestored(
  parts: EngineParts,
  id: ContainerId,
  {
    operation,
    revived: { pid, monitorPid },
    keep,
  }: {
    readonly operation: OperationRef;
    readonly revived: MonitoredProcess;
    readonly keep: boolean;
  },
): void {
  const { snapshot, spec } = parts.store.get(id);
  const run = snapshot.run + 1;
  const processes = {
    startTicks: findStartTicks(pid),
    monitorStartTicks: findStartTicks(monitorPid),
  };
  const startedAt = new Date(parts.clock.nowMs()).toISOString();
  parts.store.update(
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

function noCheckpoint(name: string): PodfleetError {
  return new PodfleetError(
    "CHECKPOINT_NOT_FOUND",
    `Cannot restore container "${name}": it has no checkpoint, checkpoint it first`,
    { details: { container: name } },
  );
}

/** Bringing a container's record in line with what its processes and the OCI runtime say. */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerId } from "@podfleet/model/ids";
import { cgroupDirectories } from "@podfleet/oci/cgroup/cgroup";
import { thawCgroup } from "@podfleet/oci/cgroup/container-cgroup";
import {
  endProcess,
  identityOf,
  isAlive,
  type ProcessIdentity,
} from "@podfleet/oci/process/process-identity";
import type { RuntimeStatus } from "@podfleet/oci/runtime/runtime";

import type { ContainerRecord } from "../state/container-record.ts";
import type { OperationRef } from "../state/state-store.ts";
import { cleanUpLocked } from "./cleanup.ts";
import type { EngineParts } from "./engine-parts.ts";
import { commitExitLocked, commitStartedLocked, unknownExit } from "./run.ts";

/** How long the exit code of a process that has ended is waited for: its monitor writes out the rest of the output first. */
const exitFileTimeoutMs = 10_000;
const endTimeoutMs = 5_000;

export interface SyncOptions {
  /** On whose behalf; named by the events. */
  readonly operation?: OperationRef | undefined;
  /** A user asked for the end that may be found. */
  readonly stoppedByUser?: boolean;
}

/** Whether a process of the container exists, as far as the record goes. */
export function hasProcess({ state }: Pick<ContainerSnapshot, "state">): boolean {
  return state === "created" || state === "running" || state === "paused";
}

/**
 * What every method does first: takes note of an end that the monitor has put on file, or of the monitor's own end. Costs two
 * file reads.
 */
export async function syncLocked(
  parts: EngineParts,
  id: ContainerId,
  options: SyncOptions = {},
): Promise<void> {
  const record = parts.store.get(id);
  if (!hasProcess(record.snapshot)) return;
  const monitorAlive = isMonitorAlive(record);
  // Looked for after the monitor: its file may come in between, and counts.
  const exit = parts.exits.find(id);
  if (exit) {
    commitExitLocked(parts, id, { ...options, exit });
  } else if (!monitorAlive) {
    await loseProcessLocked(parts, record, options);
  }
}

/**
 * `syncLocked`, then asks the OCI runtime, corrects what the record has wrong, and cleans up after a process that has
 * ended. Nothing is written when all is right.
 */
export async function resyncLocked(
  parts: EngineParts,
  id: ContainerId,
  options: SyncOptions = {},
): Promise<void> {
  await syncLocked(parts, id, options);
  if (hasProcess(parts.store.get(id).snapshot)) {
    const found = await parts.runtime.state(id);
    await correctLocked(parts, id, { ...options, status: found?.status });
  }
  const { state } = parts.store.get(id).snapshot;
  if (state === "stopped") await cleanUpLocked(parts, id, { operation: options.operation });
}

/** Corrects the record of a container with a process by what the OCI runtime holds it for; undefined: it does not know it. */
export async function correctLocked(
  parts: EngineParts,
  id: ContainerId,
  options: SyncOptions & { readonly status: RuntimeStatus | undefined },
): Promise<void> {
  const { status, operation } = options;
  if (status === undefined || status === "stopped") {
    await concludeLocked(parts, id, options);
    return;
  }
  if (status === "created") return;
  if (parts.store.get(id).snapshot.state === "created") commitStartedLocked(parts, id);
  if (parts.store.get(id).snapshot.state === status) return;
  parts.store.update(id, { state: status }, { event: "container.sync", operation });
}

/** The runtime has no process for the container any more: if there is none, its monitor is about to say how it ended. */
async function concludeLocked(
  parts: EngineParts,
  id: ContainerId,
  options: SyncOptions,
): Promise<void> {
  const { snapshot, processes } = parts.store.get(id);
  const identity = identityOf(snapshot.pid, processes.startTicks);
  if (!identity || !isAlive(identity)) await parts.exits.wait(id, exitFileTimeoutMs);
  await syncLocked(parts, id, options);
  const record = parts.store.get(id);
  if (hasProcess(record.snapshot)) await loseProcessLocked(parts, record, options);
}

/** The exit code cannot be learnt any more: ends what is left of the run. */
export async function loseProcessLocked(
  parts: EngineParts,
  record: ContainerRecord,
  options: SyncOptions,
): Promise<void> {
  const { id, state } = record.snapshot;
  if (state === "paused") {
    thawCgroup(cgroupDirectories(parts.cgroups, `${parts.cgroupParent}/${id}`));
  }
  for (const identity of processesOf(record)) {
    await endProcess(identity, endTimeoutMs, parts.clock);
  }
  commitExitLocked(parts, id, { ...options, exit: unknownExit(parts) });
}

function processesOf({ snapshot, processes }: ContainerRecord): ProcessIdentity[] {
  const monitor = identityOf(snapshot.monitorPid, processes.monitorStartTicks);
  const container = identityOf(snapshot.pid, processes.startTicks);
  return [monitor, container].filter((identity) => identity !== undefined);
}

/** Whether the monitor that the record names runs. */
export function isMonitorAlive({ snapshot, processes }: ContainerRecord): boolean {
  const monitor = identityOf(snapshot.monitorPid, processes.monitorStartTicks);
  return monitor !== undefined && isAlive(monitor);
}

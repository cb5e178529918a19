import { mkdir, rm } from "node:fs/promises";

import { sealJournal } from "@podfleet/journal/record/seal";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { writeBundle } from "@podfleet/oci/bundle/bundle";
import { writeCriuConfig } from "@podfleet/oci/bundle/criu-config";
import {
  createWithMonitor,
  type MonitoredProcess,
  type Revival,
} from "@podfleet/oci/monitor/monitor";
import { findStartTicks } from "@podfleet/oci/process/process-identity";
import { containerCommand } from "@podfleet/oci/spec/spec";

import { makeNetworkNamespace } from "../host/network-namespace.ts";
import type { ContainerRecord, StartingMark } from "../state/container-record.ts";
import type { CommitNote, OperationRef } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";
import { undoAfter } from "./undo.ts";

export const initializeMsMax = 120_000;

/**
 * configured, stopped, exited → created: the process exists and waits to run the command.
 * @throws PodfleetError STATE_INVALID, DEPENDENCY_NOT_RUNNING, or why it could not be created; nothing is left then
 */
export async function initLocked(
  parts: EngineParts,
  id: ContainerId,
  { operation }: { readonly operation: OperationRef },
): Promise<void> {
  assertAllowed("init", parts.store.get(id).snapshot);
  assertDependenciesRun(parts, id);
  await initializeLocked(parts, id, { operation, ends: "succeeded" });
}

/** Commits `created`, with what `note` says, and with `starting` kept for the start that follows. */
export async function initializeLocked(
  parts: EngineParts,
  id: ContainerId,
  options: Pick<CommitNote, "operation" | "ends"> & {
    readonly starting?: Omit<StartingMark, "atMs">;
  },
): Promise<void> {
  const { starting, ...note } = options;
  if (parts.store.get(id).snapshot.state === "stopped") {
    await parts.cleanup.cleanUpLocked(id, { operation: note.operation });
  }
  const { pid, monitorPid } = await createProcess(parts, parts.store.get(id));
  const processes = {
    startTicks: findStartTicks(pid),
    monitorStartTicks: findStartTicks(monitorPid),
    ...(starting ? { starting: { ...starting, atMs: parts.clock.nowMs() } } : {}),
  };
  // A restart by policy is due until the command runs, so that an engine that ends before that is not the end of it.
  const restart = starting?.byPolicy ? {} : { restartAt: undefined };
  parts.store.update(
    id,
    { state: "created", pid, monitorPid, error: undefined, ...restart, processes },
    { event: "container.init", ...note },
  );
}

/** @throws PodfleetError DEPENDENCY_NOT_RUNNING that lists the dependencies that do not run, with their states */
export function assertDependenciesRun(parts: EngineParts, id: ContainerId): void {
  const { snapshot, spec } = parts.store.get(id);
  const missing = spec.dependencies.flatMap((dependency) => {
    const found = parts.store.find(dependency)?.snapshot;
    if (found?.state === "running") return [];
    return [{ id: dependency, name: found?.name ?? dependency, state: found?.state ?? "removed" }];
  });
  if (missing.length === 0) return;
  const list = missing.map(({ name, state }) => `"${name}" is "${state}"`).join(", ");
  throw new PodfleetError(
    "DEPENDENCY_NOT_RUNNING",
    `Cannot start container "${snapshot.name}": dependencies must be "running": ${list}`,
    { details: { container: snapshot.name, dependencies: missing } },
  );
}

/** Creates the container's process, or revives its processes. When that fails, nothing is left of it. */
export async function createProcess(
  parts: EngineParts,
  record: ContainerRecord,
  revival?: Revival,
): Promise<MonitoredProcess> {
  const { spec } = record;
  const { id, imageId } = record.snapshot;
  const image = parts.images.config(imageId);
  const bundle = parts.paths.bundle(id);
  await parts.runtime.delete(id, { force: true });
  parts.exits.forget(id);
  await rm(bundle, { recursive: true, force: true });
  await mkdir(bundle, { recursive: true, mode: 0o700 });
  const prepare = async (): Promise<void> => {
    const rootfs = await parts.storage.mountRootfs(id, imageId);
    const cgroup = `${parts.cgroupParent}/${id}`;
    const network = revival && (await prepareRevival(parts, record));
    const host = parts.hostLimits;
    const terminalSize = parts.sessions.findTerminalSize(id, record.snapshot.run + 1);
    await writeBundle({ id, spec, image, rootfs, bundle, host, cgroup, network, terminalSize });
  };
  const [command = ""] = containerCommand(spec, image);
  await sealJournal(parts.paths.journal(id));
  const ready = prepare();
  try {
    return await createWithMonitor({
      id,
      bundle,
      journal: parts.paths.journal(id),
      exitDirectory: parts.paths.exits,
      tty: spec.tty,
      stdin: spec.stdin,
      runtime: parts.runtime,
      cgroup: parts.monitorCgroup,
      command,
      revival,
      program: parts.monitorProgram,
      ready,
    });
  } catch (error) {
    await undoAfter(error, async () => {
      await Promise.allSettled([ready]);
      await parts.cleanup.discardLocked(id);
    });
    throw error;
  }
}

/** What CRIU does not bring back; returns the network namespace that is to be used, if any. */
async function prepareRevival(
  parts: EngineParts,
  { snapshot: { id }, spec }: ContainerRecord,
): Promise<string | undefined> {
  await writeCriuConfig(parts.paths.bundle(id));
  if (spec.networkMode === "host") return undefined;
  const network = parts.paths.networkNamespace(id);
  await makeNetworkNamespace(network);
  return network;
}

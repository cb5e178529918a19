import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { machine, release } from "node:os";
import { join } from "node:path";

import type { Action } from "@podfleet/model/action";
import { checkpointEntries, type CheckpointManifest } from "@podfleet/model/container/checkpoint";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { writeCriuConfig, writeOwnNetworkConfig } from "@podfleet/oci/bundle/criu-config";
import { findTool, runCommand } from "@podfleet/oci/process/run-command";
import { storing } from "@podfleet/storage/file/storage-failure";

import type { EngineParts } from "../container/engine-parts.ts";
/**
 * Saving a running container. The checkpoint is made beside the one that there may be, and takes its place when it is whole:
 *
 *     mark ─▶ CRIU saves the processes, which end ─▶ their exit ─▶ the writable layer, for an archive ─▶ manifest ─▶ commit
 *
 * After a crash, a container whose process runs is checkpointed anew; where the process has ended, CRIU's log tells whether what
 * it has saved is whole, and the rest is done then.
 */
import { hasProcess } from "../state/container-process.ts";
import type { OperationRef } from "../state/state-store.ts";
import { criuFailure, dumpFiles, isDumpWhole } from "./criu-log.ts";
import { findManifest, writeManifest } from "./manifest.ts";
import { assertCheckpointsSupported } from "./support.ts";

type CheckpointAction = Extract<Action, { verb: "container.checkpoint" }>;

const checkpointMsMax = 45 * 60_000;
const tarTimeoutMs = 30 * 60_000;
/** From the end of the dump to the exit file. */
const exitTimeoutMs = 10_000;

/**
 * running → exited, or running as before with `leaveRunning`.
 * @throws PodfleetError STATE_INVALID, UNSUPPORTED; CHECKPOINT_FAILED with CRIU's reason, and the container runs on; STORAGE_FAILED
 * when there was no room for the archive, and the checkpoint can be restored in place; INTERRUPTED when the engine ended during
 * the first attempt and the processes before they were saved
 */
export async function checkpointContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: CheckpointAction & { readonly resumed: boolean },
): Promise<void> {
  const { containerId: id, verb, leaveRunning, resumed } = action;
  await parts.locks.run(id, { purpose: verb, holdMsMax: checkpointMsMax }, async () => {
    await parts.sync.syncLocked(id, { operation });
    const isSaved = resumed && (await isSavedLocked(parts, operation, action));
    if (!isSaved) await saveLocked(parts, operation, action);
    const { manifest, failure } = await completeLocked(parts, operation, action);
    const { run } = parts.store.get(id).snapshot;
    const { createdAt: at, forArchive } = manifest;
    const checkpoint = { at, forArchive, ...(leaveRunning ? {} : { endedRun: run }) };
    const ends = failure?.toWire() ?? "succeeded";
    parts.store.update(id, { checkpoint }, { event: "container.checkpoint", operation, ends });
  });
}

/** Where a checkpoint is made, until it is whole. */
function freshDirectory(parts: EngineParts, id: ContainerId): string {
  return `${parts.paths.checkpoint(id)}.new`;
}

/** Whether an attempt that was cut off has ended the processes and saved them whole. */
async function isSavedLocked(
  parts: EngineParts,
  operation: OperationRef,
  { containerId: id, leaveRunning }: CheckpointAction,
): Promise<boolean> {
  const fresh = freshDirectory(parts, id);
  if (hasProcess(parts.store.get(id).snapshot)) {
    await thawLocked(parts, operation, id);
    return false;
  }
  await parts.sync.resyncLocked(id, { operation });
  if ((await findManifest(parts.paths.checkpoint(id)))?.operationId === operation.id) return true;
  if (leaveRunning || !existsSync(fresh)) return false;
  if (await isDumpWhole(fresh)) return true;
  await rm(fresh, { recursive: true, force: true });
  const { name } = parts.store.get(id).snapshot;
  throw new PodfleetError(
    "INTERRUPTED",
    `Cannot checkpoint container "${name}": the agent ended meanwhile, and the container before it was saved`,
    { details: { container: name } },
  );
}

/** Ends what `saveFrozenLocked` has begun, also when the engine ended in between. */
async function thawLocked(
  parts: EngineParts,
  operation: OperationRef,
  id: ContainerId,
): Promise<void> {
  const { freezing, ...processes } = parts.store.get(id).processes;
  if (freezing !== operation.id) return;
  await parts.runtime.resume(id);
  parts.store.saveProcesses(id, processes);
  await parts.sync.resyncLocked(id, { operation });
}

/** Has CRIU save the processes; all that is left to do is on disk then, or in the container's storage. */
async function saveLocked(
  parts: EngineParts,
  operation: OperationRef,
  action: CheckpointAction,
): Promise<void> {
  assertCheckpointsSupported(await parts.checkpointSupport);
  const { containerId: id, leaveRunning } = action;
  assertAllowed("checkpoint", parts.store.get(id).snapshot);
  const fresh = freshDirectory(parts, id);
  await storing("make room for the checkpoint", async () => {
    await rm(fresh, { recursive: true, force: true });
    await mkdir(join(fresh, checkpointEntries.image), { recursive: true, mode: 0o700 });
  });
  try {
    await configureCriu(parts, id);
    await (leaveRunning
      ? saveRunningLocked(parts, operation, action)
      : saveEndingLocked(parts, operation, action));
  } catch (error) {
    await rm(fresh, { recursive: true, force: true });
    throw error;
  }
}

async function saveEndingLocked(
  parts: EngineParts,
  operation: OperationRef,
  action: CheckpointAction,
): Promise<void> {
  const { containerId: id } = action;
  const { processes } = parts.store.get(id);
  // On disk before the processes end, so that after a crash their end is taken for what it is.
  parts.store.saveProcesses(id, { ...processes, checkpointing: operation.id });
  try {
    await dump(parts, action);
  } catch (error) {
    parts.store.saveProcesses(id, processes);
    throw error;
  }
  await parts.exits.wait(id, exitTimeoutMs);
  await parts.sync.resyncLocked(id, { operation, stoppedByUser: true });
}

/** With the processes frozen, the files are as they were when the processes were saved. */
async function saveRunningLocked(
  parts: EngineParts,
  operation: OperationRef,
  action: CheckpointAction,
): Promise<void> {
  if (!takesRootfs(action)) return await dump(parts, action);
  const { containerId: id } = action;
  const { processes } = parts.store.get(id);
  // On disk before they are frozen, so that after a crash they are let go again.
  parts.store.saveProcesses(id, { ...processes, freezing: operation.id });
  try {
    await parts.runtime.pause(id);
    await dump(parts, action);
    await saveRootfs(parts, id);
  } finally {
    await thawLocked(parts, operation, id);
  }
}

async function dump(parts: EngineParts, action: CheckpointAction): Promise<void> {
  const { containerId: id, leaveRunning, tcpEstablished, fileLocks } = action;
  const workDirectory = freshDirectory(parts, id);
  const imageDirectory = join(workDirectory, checkpointEntries.image);
  try {
    const options = { imageDirectory, workDirectory, leaveRunning, tcpEstablished, fileLocks };
    await parts.runtime.checkpoint(id, options);
  } catch (error) {
    if (!(error instanceof PodfleetError)) throw error;
    const what = `checkpoint container "${parts.store.get(id).snapshot.name}"`;
    throw await criuFailure(error, what, join(workDirectory, dumpFiles.log));
  }
}

/** A network namespace that a restore has brought along is known to the runtime as an external one. */
async function configureCriu(parts: EngineParts, id: ContainerId): Promise<void> {
  const { snapshot, spec } = parts.store.get(id);
  const bundle = parts.paths.bundle(id);
  const isKnown = spec.networkMode === "host" || existsSync(parts.paths.networkNamespace(id));
  if (isKnown || snapshot.pid === undefined) return await writeCriuConfig(bundle);
  await writeOwnNetworkConfig(bundle, snapshot.pid);
}

interface Completed {
  readonly manifest: CheckpointManifest;
  /** Why it is none for an archive. */
  readonly failure?: PodfleetError;
}

/** Adds what is to be there beside the processes, and puts the checkpoint into its place. */
async function completeLocked(
  parts: EngineParts,
  operation: OperationRef,
  action: CheckpointAction,
): Promise<Completed> {
  const { containerId: id, keep } = action;
  const directory = parts.paths.checkpoint(id);
  const present = await findManifest(directory);
  if (present?.operationId === operation.id) return { manifest: present };
  const fresh = freshDirectory(parts, id);
  const failure = await addRootfs(parts, action);
  const manifest = await describe(parts, fresh, { operation, action, failure });
  if (!keep) {
    for (const name of Object.values(dumpFiles)) await rm(join(fresh, name), { force: true });
  }
  await rm(directory, { recursive: true, force: true });
  await rename(fresh, directory);
  return failure ? { manifest, failure } : { manifest };
}

function takesRootfs({ archive, ignoreRootfs }: CheckpointAction): boolean {
  return archive && !ignoreRootfs;
}

/** @returns why it could not; there is nothing of it then */
async function addRootfs(
  parts: EngineParts,
  action: CheckpointAction,
): Promise<PodfleetError | undefined> {
  const { containerId: id, leaveRunning } = action;
  // Of a container that runs on it is there already.
  if (!takesRootfs(action) || leaveRunning) return undefined;
  try {
    await saveRootfs(parts, id);
    return undefined;
  } catch (error) {
    await rm(rootfsArchive(parts, id), { force: true });
    return PodfleetError.from(error);
  }
}

function rootfsArchive(parts: EngineParts, id: ContainerId): string {
  return join(freshDirectory(parts, id), checkpointEntries.rootfs);
}

async function saveRootfs(parts: EngineParts, id: ContainerId): Promise<void> {
  // The origin names a file of this host's layers, which no other host knows.
  const attributes = ["--xattrs", "--xattrs-include=*", "--xattrs-exclude=trusted.overlay.origin"];
  const source = ["--directory", parts.storage.writableLayer(id), "."];
  const target = ["--create", "--file", rootfsArchive(parts, id), "--numeric-owner"];
  await storing("save the container's root filesystem", async () => {
    const options = { timeoutMs: tarTimeoutMs, spanName: "tar create" };
    await runCommand(findTool("tar"), [...target, ...attributes, ...source], options);
  });
}

async function describe(
  parts: EngineParts,
  directory: string,
  made: {
    readonly operation: OperationRef;
    readonly action: CheckpointAction;
    readonly failure: PodfleetError | undefined;
  },
): Promise<CheckpointManifest> {
  const { clock, runtime, store } = parts;
  const support = await parts.checkpointSupport;
  assertCheckpointsSupported(support);
  const { snapshot, spec } = store.get(made.action.containerId);
  return await writeManifest(directory, {
    createdAt: new Date(clock.nowMs()).toISOString(),
    operationId: made.operation.id,
    container: { id: snapshot.id, name: snapshot.name },
    imageId: snapshot.imageId,
    spec,
    runtime: runtime.name,
    criuVersion: support.version,
    kernelVersion: release(),
    architecture: machine(),
    forArchive: made.action.archive && made.failure === undefined,
  });
}

import { existsSync } from "node:fs";
import { join } from "node:path";

import { checkpointEntries } from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { writeCriuConfig, writeOwnNetworkConfig } from "@podfleet/oci/bundle/criu-config";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import type { ContainerSync } from "../container/container-sync.ts";
import type { ExitWatcher } from "../container/exit-watcher.ts";
import { assertCheckpointsSupported, type CheckpointSupport } from "../host/checkpoint-support.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import { type CheckpointAction, type CheckpointFiles, takesRootfs } from "./checkpoint-files.ts";
import { criuFailure, dumpFiles } from "./criu-log.ts";

/** The longest time from the end of the dump to the exit file. */
const exitTimeoutMs = 10_000;

export interface ProcessDumpParts {
  readonly paths: Pick<EnginePaths, "bundle" | "networkNamespace">;
  readonly store: Pick<StateStore, "get" | "saveProcesses">;
  readonly sync: Pick<ContainerSync, "resyncLocked">;
  readonly exits: Pick<ExitWatcher, "wait">;
  readonly runtime: Pick<OciRuntime, "checkpoint" | "pause" | "resume">;
  readonly files: Pick<CheckpointFiles, "begin" | "discard" | "freshDirectory" | "saveRootfs">;
  readonly checkpointSupport: Promise<CheckpointSupport>;
}

/** Has CRIU save a container's processes into the fresh directory of its checkpoint. */
export class ProcessDump {
  readonly #parts: ProcessDumpParts;

  constructor(parts: ProcessDumpParts) {
    this.#parts = parts;
  }

  /** Saves the processes, and waits for their end unless they run on. */
  async saveLocked(operation: OperationRef, action: CheckpointAction): Promise<void> {
    const { checkpointSupport, files, store } = this.#parts;
    assertCheckpointsSupported(await checkpointSupport);
    const { containerId: id, leaveRunning } = action;
    assertAllowed("checkpoint", store.get(id).snapshot);
    await files.begin(id);
    try {
      await this.#configureCriu(id);
      await (leaveRunning
        ? this.#saveRunningLocked(operation, action)
        : this.#saveEndingLocked(operation, action));
    } catch (error) {
      await files.discard(id);
      throw error;
    }
  }

  /** Thaws processes that this operation has frozen, also when the engine ended meanwhile. */
  async thawLocked(operation: OperationRef, id: ContainerId): Promise<void> {
    const { runtime, store, sync } = this.#parts;
    const { freezing, ...processes } = store.get(id).processes;
    if (freezing !== operation.id) return;
    await runtime.resume(id);
    store.saveProcesses(id, processes);
    await sync.resyncLocked(id, { operation });
  }

  async #saveEndingLocked(operation: OperationRef, action: CheckpointAction): Promise<void> {
    const { exits, store, sync } = this.#parts;
    const { containerId: id } = action;
    const { processes } = store.get(id);
    // On disk before the processes end, so that after a crash their end is not taken for an exit.
    store.saveProcesses(id, { ...processes, checkpointing: operation.id });
    try {
      await this.#dump(action);
    } catch (error) {
      store.saveProcesses(id, processes);
      throw error;
    }
    await exits.wait(id, exitTimeoutMs);
    await sync.resyncLocked(id, { operation, stoppedByUser: true });
  }

  /** Saves processes that run on. For an archive they are frozen, so that the files are of the same moment. */
  async #saveRunningLocked(operation: OperationRef, action: CheckpointAction): Promise<void> {
    if (!takesRootfs(action)) return await this.#dump(action);
    const { files, runtime, store } = this.#parts;
    const { containerId: id } = action;
    const { processes } = store.get(id);
    // On disk before they are frozen, so that after a crash they are thawed.
    store.saveProcesses(id, { ...processes, freezing: operation.id });
    try {
      await runtime.pause(id);
      await this.#dump(action);
      await files.saveRootfs(id);
    } finally {
      await this.thawLocked(operation, id);
    }
  }

  async #dump(action: CheckpointAction): Promise<void> {
    const { files, runtime, store } = this.#parts;
    const { containerId: id, leaveRunning, tcpEstablished, fileLocks } = action;
    const workDirectory = files.freshDirectory(id);
    const imageDirectory = join(workDirectory, checkpointEntries.image);
    try {
      const options = { imageDirectory, workDirectory, leaveRunning, tcpEstablished, fileLocks };
      await runtime.checkpoint(id, options);
    } catch (error) {
      if (!(error instanceof PodfleetError)) throw error;
      const what = `checkpoint container "${store.get(id).snapshot.name}"`;
      throw await criuFailure(error, what, join(workDirectory, dumpFiles.log));
    }
  }

  /** Writes CRIU's configuration. The runtime knows a network namespace that a restore has brought along as external. */
  async #configureCriu(id: ContainerId): Promise<void> {
    const { paths, store } = this.#parts;
    const { snapshot, spec } = store.get(id);
    const bundle = paths.bundle(id);
    const isKnown = spec.networkMode === "host" || existsSync(paths.networkNamespace(id));
    if (isKnown || snapshot.pid === undefined) return await writeCriuConfig(bundle);
    await writeOwnNetworkConfig(bundle, snapshot.pid);
  }
}

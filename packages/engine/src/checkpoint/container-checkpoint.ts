/**
 * The checkpoint of a running container:
 *
 *     mark ─▶ CRIU saves the processes, which end ─▶ their exit ─▶ the writable layer, for an archive ─▶ manifest ─▶ commit
 *
 * After a crash, a container whose process runs is checkpointed again. Where the process has ended, CRIU's log tells whether it has saved
 * the whole process; if so, the rest is done then.
 */
import { existsSync } from "node:fs";

import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { ContainerSync } from "../container/container-sync.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess } from "../state/container-process.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { CheckpointAction, CheckpointFiles } from "./checkpoint-files.ts";
import { isDumpWhole } from "./criu-log.ts";
import { findManifest } from "./manifest.ts";
import type { ProcessDump } from "./process-dump.ts";

const checkpointMsMax = 45 * 60_000;

export interface CheckpointParts {
  readonly locks: Pick<ContainerLocks, "run">;
  readonly paths: Pick<EnginePaths, "checkpoint">;
  readonly store: Pick<StateStore, "get" | "update">;
  readonly sync: Pick<ContainerSync, "resyncLocked" | "syncLocked">;
  readonly files: CheckpointFiles;
  readonly dump: ProcessDump;
}

export class ContainerCheckpoint {
  readonly #parts: CheckpointParts;

  constructor(parts: CheckpointParts) {
    this.#parts = parts;
  }

  /**
   * running → exited, or running as before with `leaveRunning`.
   * @throws PodfleetError STATE_INVALID, UNSUPPORTED; CHECKPOINT_FAILED with CRIU's reason, and the container runs on; STORAGE_FAILED
   * when there was no room for the archive, and the checkpoint can be restored in place; INTERRUPTED when the engine ended during
   * the first attempt and the processes before they were saved
   */
  async checkpoint(
    operation: OperationRef,
    action: CheckpointAction & { readonly resumed: boolean },
  ): Promise<void> {
    const { dump, files, locks, store, sync } = this.#parts;
    const { containerId: id, verb, leaveRunning, resumed } = action;
    await locks.run(id, { purpose: verb, holdMsMax: checkpointMsMax }, async () => {
      await sync.syncLocked(id, { operation });
      const isSaved = resumed && (await this.#isSavedLocked(operation, action));
      if (!isSaved) await dump.saveLocked(operation, action);
      const { manifest, failure } = await files.complete(operation, action);
      const { run } = store.get(id).snapshot;
      const { createdAt: at, forArchive } = manifest;
      const checkpoint = { at, forArchive, ...(leaveRunning ? {} : { endedRun: run }) };
      const ends = failure?.toWire() ?? "succeeded";
      store.update(id, { checkpoint }, { event: "container.checkpoint", operation, ends });
    });
  }

  /** Tells whether an attempt that was cut off has saved the whole processes and ended them. */
  async #isSavedLocked(
    operation: OperationRef,
    { containerId: id, leaveRunning }: CheckpointAction,
  ): Promise<boolean> {
    const { dump, files, paths, store, sync } = this.#parts;
    if (hasProcess(store.get(id).snapshot)) {
      await dump.thawLocked(operation, id);
      return false;
    }
    await sync.resyncLocked(id, { operation });
    if ((await findManifest(paths.checkpoint(id)))?.operationId === operation.id) return true;
    const fresh = files.freshDirectory(id);
    if (leaveRunning || !existsSync(fresh)) return false;
    if (await isDumpWhole(fresh)) return true;
    await files.discard(id);
    throw this.#interrupted(id);
  }

  #interrupted(id: ContainerId): PodfleetError {
    const { name } = this.#parts.store.get(id).snapshot;
    return new PodfleetError(
      "INTERRUPTED",
      `Cannot checkpoint container "${name}": the agent ended meanwhile, and the container before it was saved`,
      { details: { container: name } },
    );
  }
}

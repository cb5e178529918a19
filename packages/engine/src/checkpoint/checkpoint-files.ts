/**
 * The directory of a container's checkpoint. A new checkpoint is made beside the last one, in a fresh directory, and replaces it when it is
 * whole.
 */
import { mkdir, rename, rm } from "node:fs/promises";
import { machine, release } from "node:os";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import type { ActionOf } from "@podfleet/model/action";
import { checkpointEntries, type CheckpointManifest } from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { findTool, runCommand } from "@podfleet/oci/process/run-command";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";
import { storing } from "@podfleet/storage/file/storage-failure";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";

import { assertCheckpointsSupported, type CheckpointSupport } from "../host/checkpoint-support.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import { dumpFiles } from "./criu-log.ts";
import { findManifest, writeManifest } from "./manifest.ts";

export type CheckpointAction = ActionOf<"container.checkpoint">;

const tarTimeoutMs = 30 * 60_000;

export interface CheckpointFileParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly paths: Pick<EnginePaths, "checkpoint">;
  readonly store: Pick<StateStore, "get">;
  readonly storage: Pick<ContainerStorage, "writableLayer">;
  readonly runtime: Pick<OciRuntime, "name">;
  readonly checkpointSupport: Promise<CheckpointSupport>;
}

interface WholeCheckpoint {
  readonly manifest: CheckpointManifest;
  /** The reason why the checkpoint cannot be exported: its root filesystem could not be saved. */
  readonly failure?: PodfleetError;
}

export class CheckpointFiles {
  readonly #parts: CheckpointFileParts;

  constructor(parts: CheckpointFileParts) {
    this.#parts = parts;
  }

  /** The directory in which a checkpoint is made. */
  freshDirectory(id: ContainerId): string {
    return `${this.#parts.paths.checkpoint(id)}.new`;
  }

  /** Makes an empty fresh directory. */
  async begin(id: ContainerId): Promise<void> {
    const fresh = this.freshDirectory(id);
    await storing("make room for the checkpoint", async () => {
      await rm(fresh, { recursive: true, force: true });
      await mkdir(join(fresh, checkpointEntries.image), { recursive: true, mode: 0o700 });
    });
  }

  async discard(id: ContainerId): Promise<void> {
    await rm(this.freshDirectory(id), { recursive: true, force: true });
  }

  /** Archives the writable layer into the fresh directory. */
  async saveRootfs(id: ContainerId): Promise<void> {
    // The origin names a file of this host's layers, which no other host knows.
    const attributes = [
      "--xattrs",
      "--xattrs-include=*",
      "--xattrs-exclude=trusted.overlay.origin",
    ];
    const source = ["--directory", this.#parts.storage.writableLayer(id), "."];
    const target = ["--create", "--file", this.#rootfsArchive(id), "--numeric-owner"];
    await storing("save the container's root filesystem", async () => {
      const options = { timeoutMs: tarTimeoutMs, spanName: "tar create" };
      await runCommand(findTool("tar"), [...target, ...attributes, ...source], options);
    });
  }

  /** Adds the manifest, and the root filesystem for an archive, and replaces the last checkpoint. Idempotent. */
  async complete(operation: OperationRef, action: CheckpointAction): Promise<WholeCheckpoint> {
    const { containerId: id, keep } = action;
    const directory = this.#parts.paths.checkpoint(id);
    const present = await findManifest(directory);
    if (present?.operationId === operation.id) return { manifest: present };
    const fresh = this.freshDirectory(id);
    const failure = await this.#addRootfs(action);
    const forArchive = action.archive && failure === undefined;
    const manifest = await this.#describe(id, { operation, forArchive });
    if (!keep) {
      for (const name of Object.values(dumpFiles)) await rm(join(fresh, name), { force: true });
    }
    await rm(directory, { recursive: true, force: true });
    await rename(fresh, directory);
    return failure ? { manifest, failure } : { manifest };
  }

  /** @returns why the root filesystem could not be saved; no part of it is left then */
  async #addRootfs(action: CheckpointAction): Promise<PodfleetError | undefined> {
    const { containerId: id, leaveRunning } = action;
    // The root filesystem of a container that runs on was saved while its processes were frozen.
    if (!takesRootfs(action) || leaveRunning) return undefined;
    try {
      await this.saveRootfs(id);
      return undefined;
    } catch (error) {
      await rm(this.#rootfsArchive(id), { force: true });
      return PodfleetError.from(error);
    }
  }

  async #describe(
    id: ContainerId,
    made: { readonly operation: OperationRef; readonly forArchive: boolean },
  ): Promise<CheckpointManifest> {
    const { checkpointSupport, clock, runtime, store } = this.#parts;
    const support = await checkpointSupport;
    assertCheckpointsSupported(support);
    const { snapshot, spec } = store.get(id);
    return await writeManifest(this.freshDirectory(id), {
      createdAt: new Date(clock.nowMs()).toISOString(),
      operationId: made.operation.id,
      container: { id: snapshot.id, name: snapshot.name },
      imageId: snapshot.imageId,
      spec,
      runtime: runtime.name,
      criuVersion: support.version,
      kernelVersion: release(),
      architecture: machine(),
      forArchive: made.forArchive,
    });
  }

  #rootfsArchive(id: ContainerId): string {
    return join(this.freshDirectory(id), checkpointEntries.rootfs);
  }
}

export function takesRootfs({ archive, ignoreRootfs }: CheckpointAction): boolean {
  return archive && !ignoreRootfs;
}

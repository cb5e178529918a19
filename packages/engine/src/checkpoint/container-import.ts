/**
 * The import of a container from a checkpoint archive:
 *
 *     unpack, check ─▶ storage ─▶ commit: configured, with the checkpoint ─▶ restore
 *
 * A failure leaves nothing of the container. After a crash before the commit, the import begins again with the upload; after a crash behind
 * it, the restore goes on.
 */
import { createReadStream } from "node:fs";
import { machine } from "node:os";
import { join } from "node:path";

import type { ActionOf } from "@podfleet/model/action";
import { checkpointEntries, type CheckpointManifest } from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import { extractTar } from "@podfleet/storage/archive/extract-tar";
import { storing } from "@podfleet/storage/file/storage-failure";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";
import { assertUploaded } from "@podfleet/storage/upload/uploaded";
import type { Uploads } from "@podfleet/storage/upload/uploads";

import type { ContainerCreation } from "../container/container-creation.ts";
import type { ContainerRemoval } from "../container/container-removal.ts";
import { undoAfter } from "../container/undo.ts";
import { assertCheckpointsSupported, type CheckpointSupport } from "../host/checkpoint-support.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { ContainerRestore } from "./container-restore.ts";
import { writeManifest } from "./manifest.ts";
import { unpackCheckpoint } from "./unpack-checkpoint.ts";

type ImportAction = ActionOf<"container.import"> & { readonly resumed: boolean };

const importMsMax = 60 * 60_000;

export interface ImportParts {
  readonly locks: Pick<ContainerLocks, "run">;
  readonly paths: Pick<EnginePaths, "checkpoint">;
  readonly store: Pick<StateStore, "create" | "find">;
  readonly storage: Pick<ContainerStorage, "create" | "remove" | "writableLayer">;
  readonly uploads: Pick<Uploads, "drop" | "length" | "path">;
  readonly creation: Pick<ContainerCreation, "assertCreatable" | "assertNew" | "newSnapshot">;
  readonly removal: Pick<ContainerRemoval, "removeLocked">;
  readonly containerRestore: Pick<ContainerRestore, "restoreLocked">;
  readonly checkpointSupport: Promise<CheckpointSupport>;
}

export class ContainerImport {
  readonly #parts: ImportParts;

  constructor(parts: ImportParts) {
    this.#parts = parts;
  }

  /**
   * Nothing → running.
   * @throws PodfleetError CHECKPOINT_INVALID, UNSUPPORTED, NAME_IN_USE, IMAGE_NOT_FOUND, CHECKPOINT_FAILED; INVALID_INPUT when the
   * upload is not complete; INTERRUPTED when the engine ended during the first attempt and the upload is gone
   */
  async import(operation: OperationRef, action: ImportAction): Promise<void> {
    const { checkpointSupport, locks, store, uploads } = this.#parts;
    const { containerId: id, verb, uploadId } = action;
    await locks.run(id, { purpose: verb, holdMsMax: importMsMax }, async () => {
      try {
        assertCheckpointsSupported(await checkpointSupport);
        const isTakenIn = action.resumed && store.find(id) !== undefined;
        if (!isTakenIn) await this.#takeInLocked(operation, action);
        await this.#restoreNewLocked(operation, action);
      } finally {
        await uploads.drop(uploadId);
      }
    });
  }

  async #takeInLocked(operation: OperationRef, action: ImportAction): Promise<void> {
    const { creation, storage, uploads } = this.#parts;
    const { containerId: id } = action;
    creation.assertNew({ containerId: id, name: action.name });
    await assertUploaded(uploads, action);
    // An attempt that was cut off may have left some.
    await storage.remove(id);
    await storage.create(id);
    try {
      const manifest = await this.#unpack(action);
      this.#commitTakenIn(operation, { action, manifest });
    } catch (error) {
      await undoAfter(error, () => storage.remove(id));
      throw error;
    }
  }

  async #unpack({
    containerId: id,
    uploadId,
    ignoreRootfs,
  }: ImportAction): Promise<CheckpointManifest> {
    const { paths, storage, uploads } = this.#parts;
    const directory = paths.checkpoint(id);
    const manifest = await storing("unpack the checkpoint archive", async () => {
      return await unpackCheckpoint(uploads.path(uploadId), directory);
    });
    assertArchitecture(manifest);
    const hasRootfs = manifest.files.some(({ path }) => path === checkpointEntries.rootfs);
    if (hasRootfs && !ignoreRootfs) {
      await fillLayer(join(directory, checkpointEntries.rootfs), storage.writableLayer(id));
    }
    return await writeManifest(directory, manifest);
  }

  #commitTakenIn(
    operation: OperationRef,
    { action, manifest }: { readonly action: ImportAction; readonly manifest: CheckpointManifest },
  ): void {
    const { creation, store } = this.#parts;
    const { containerId, name } = action;
    const container = { containerId, name, spec: { ...manifest.spec, name } };
    const byId = { ...container, spec: { ...container.spec, image: manifest.imageId } };
    const image = creation.assertCreatable(byId);
    const { createdAt: at, forArchive } = manifest;
    const checkpoint = { at, forArchive };
    const snapshot = { ...creation.newSnapshot(container, image.id), checkpoint };
    const { spec } = container;
    store.create({ spec, snapshot, processes: {} }, { event: "container.create", operation });
  }

  async #restoreNewLocked(operation: OperationRef, action: ImportAction): Promise<void> {
    const { containerRestore, removal } = this.#parts;
    const { containerId: id } = action;
    try {
      await containerRestore.restoreLocked(id, { ...action, operation });
    } catch (error) {
      await undoAfter(error, () => removal.removeLocked(id, { operation }));
      throw error;
    }
  }
}

/** Unpacks an archive of a writable layer, which keeps overlay's own files and attributes. */
async function fillLayer(archive: string, layer: string): Promise<void> {
  await storing("unpack the container's root filesystem", async () => {
    await extractTar(createReadStream(archive), layer, ["--xattrs-include=*"]);
  });
}

/** @throws PodfleetError CHECKPOINT_INVALID for processes of another architecture */
function assertArchitecture({ architecture }: CheckpointManifest): void {
  if (architecture === machine()) return;
  throw new PodfleetError(
    "CHECKPOINT_INVALID",
    `Cannot restore the checkpoint: it was made on "${architecture}", must be "${machine()}"`,
  );
}

/**
 * A new container from a checkpoint archive:
 *
 *     unpack, check ─▶ storage ─▶ commit: configured, with the checkpoint ─▶ restore
 *
 * Whatever fails, nothing of it is left. After a crash, before the commit it begins anew with the upload, after it the restore goes on.
 */
import { createReadStream } from "node:fs";
import { machine } from "node:os";
import { join } from "node:path";

import type { Action } from "@podfleet/model/action";
import { checkpointEntries, type CheckpointManifest } from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import { extractTar } from "@podfleet/storage/archive/extract-tar";
import { storing } from "@podfleet/storage/file/storage-failure";

import type { EngineParts } from "../container/engine-parts.ts";
import { undoAfter } from "../container/undo.ts";
import type { OperationRef } from "../state/state-store.ts";
import { writeManifest } from "./manifest.ts";
import { restoreLocked } from "./restore-container.ts";
import { assertCheckpointsSupported } from "./support.ts";
import { unpackCheckpoint } from "./unpack-checkpoint.ts";

type ImportAction = Extract<Action, { verb: "container.import" }>;

const importMsMax = 60 * 60_000;

/**
 * Nothing → running.
 * @throws PodfleetError CHECKPOINT_INVALID, UNSUPPORTED, NAME_IN_USE, IMAGE_NOT_FOUND, CHECKPOINT_FAILED; INVALID_INPUT when the upload is
 * not complete; INTERRUPTED when the engine ended during the first attempt and the upload is gone
 */
export async function importContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: ImportAction & { readonly resumed: boolean },
): Promise<void> {
  const { containerId: id, verb, uploadId } = action;
  await parts.locks.run(id, { purpose: verb, holdMsMax: importMsMax }, async () => {
    try {
      assertCheckpointsSupported(await parts.checkpointSupport);
      if (!(action.resumed && parts.store.find(id))) await takeInLocked(parts, operation, action);
      await restoreNewLocked(parts, operation, action);
    } finally {
      await parts.images.uploads.drop(uploadId);
    }
  });
}

async function takeInLocked(
  parts: EngineParts,
  operation: OperationRef,
  action: ImportAction & { readonly resumed: boolean },
): Promise<void> {
  const { containerId: id, ignoreRootfs } = action;
  parts.creation.assertNew({ containerId: id, name: action.name });
  const { uploads } = parts.images;
  assertComplete(action, await uploads.length(action.uploadId));
  // What an attempt that was cut off has left.
  await parts.storage.remove(id);
  await parts.storage.create(id);
  try {
    const directory = parts.paths.checkpoint(id);
    const manifest = await storing("unpack the checkpoint archive", async () => {
      return await unpackCheckpoint(uploads.path(action.uploadId), directory);
    });
    assertFits(manifest);
    const rootfs = join(directory, checkpointEntries.rootfs);
    const hasRootfs = manifest.files.some(({ path }) => path === checkpointEntries.rootfs);
    if (hasRootfs && !ignoreRootfs) await fillLayer(rootfs, parts.storage.writableLayer(id));
    await writeManifest(directory, manifest);
    commitTakenInLocked(parts, operation, { action, manifest });
  } catch (error) {
    await undoAfter(error, () => parts.storage.remove(id));
    throw error;
  }
}

/** The writable layer as it was, in overlay's own form. */
async function fillLayer(archive: string, layer: string): Promise<void> {
  await storing("unpack the container's root filesystem", async () => {
    await extractTar(createReadStream(archive), layer, ["--xattrs-include=*"]);
  });
}

function commitTakenInLocked(
  parts: EngineParts,
  operation: OperationRef,
  { action, manifest }: { readonly action: ImportAction; readonly manifest: CheckpointManifest },
): void {
  const { containerId, name } = action;
  const container = { containerId, name, spec: { ...manifest.spec, name } };
  const byId = { ...container, spec: { ...container.spec, image: manifest.imageId } };
  const image = parts.creation.assertCreatable(byId);
  const { createdAt: at, forArchive } = manifest;
  const snapshot = {
    ...parts.creation.newSnapshot(container, image.id),
    checkpoint: { at, forArchive },
  };
  const { spec } = container;
  parts.store.create({ spec, snapshot, processes: {} }, { event: "container.create", operation });
}

async function restoreNewLocked(
  parts: EngineParts,
  operation: OperationRef,
  action: ImportAction,
): Promise<void> {
  const { containerId: id } = action;
  try {
    await restoreLocked(parts, id, { ...action, operation });
  } catch (error) {
    await undoAfter(error, () => parts.removal.removeLocked(id, { operation }));
    throw error;
  }
}

function assertComplete(
  { uploadId, sizeBytes, resumed }: ImportAction & { readonly resumed: boolean },
  length: number,
): void {
  if (length === sizeBytes) return;
  if (resumed) {
    throw new PodfleetError(
      "INTERRUPTED",
      `Cannot finish restoring upload "${uploadId}": the agent ended meanwhile, send the archive again`,
      { details: { uploadId } },
    );
  }
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot restore upload "${uploadId}": the host holds ${length} bytes of it, must be ${sizeBytes}`,
    { details: { field: "sizeBytes", uploadId, length, sizeBytes } },
  );
}

/** @throws PodfleetError CHECKPOINT_INVALID for processes that cannot run here */
function assertFits({ architecture }: CheckpointManifest): void {
  if (architecture === machine()) return;
  throw new PodfleetError(
    "CHECKPOINT_INVALID",
    `Cannot restore the checkpoint: it was made on "${architecture}", must be "${machine()}"`,
  );
}

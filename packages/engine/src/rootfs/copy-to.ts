import type { Action } from "@podfleet/model/action";
import { assertAllowed } from "@podfleet/model/container/state";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { runCommand } from "@podfleet/oci/process/run-command";
import { readDecompressed } from "@podfleet/storage/file/compression";
import { storing } from "@podfleet/storage/file/storage-failure";
import { findPlace, openPlace } from "@podfleet/storage/rootfs/place";
import { tarInCell } from "@podfleet/storage/rootfs/tar-cell";
import { extractArguments } from "@podfleet/storage/rootfs/tar-options";
import { assertUploaded } from "@podfleet/storage/upload/uploaded";

import type { EngineParts } from "../container/engine-parts.ts";
import { hasProcess } from "../state/container-process.ts";
import type { OperationRef } from "../state/state-store.ts";
import { pathNotFound } from "./copy-from.ts";

const tarTimeoutMs = 30 * 60_000;
const copyMsMax = tarTimeoutMs + 60_000;

type CopyAction = Extract<Action, { verb: "container.copy" }>;

/**
 * Unpacks an uploaded tar archive, plain or compressed, into a directory of the container, in whatever state it is. Owners, modes,
 * times and extended attributes are the archive's. What fails half-way has unpacked a part. Nothing in the archive or in the
 * container leads out of the directory.
 * @throws PodfleetError STATE_INVALID, PATH_NOT_FOUND; INVALID_INPUT when the path is no directory, the upload is not complete or no
 * archive; STORAGE_FAILED; INTERRUPTED when the engine ended during the first attempt and the upload is gone
 */
export async function copyToContainer(
  parts: EngineParts,
  operation: OperationRef,
  action: CopyAction & { readonly resumed: boolean },
): Promise<void> {
  const { containerId: id, verb, path, uploadId } = action;
  await parts.locks.run(id, { purpose: verb, holdMsMax: copyMsMax }, async () => {
    const { snapshot } = parts.store.get(id);
    assertAllowed("copy", snapshot);
    await assertUploaded(parts.images.uploads, action);
    const rootfs = await parts.storage.mountRootfs(id, snapshot.imageId);
    try {
      await unpack(parts, rootfs, action);
    } finally {
      if (!hasProcess(snapshot)) await parts.cleanup.releaseRootfsLocked(id);
    }
    const note = { event: "container.copy", attributes: { path }, operation } as const;
    parts.store.note(id, { ...note, ends: "succeeded" });
  });
  await parts.images.uploads.drop(uploadId);
}

async function unpack(
  parts: EngineParts,
  rootfs: string,
  { containerId: id, path, uploadId }: CopyAction,
): Promise<void> {
  const place = await findPlace(rootfs, path);
  if (!place) throw pathNotFound(parts, id, path);
  await using _parent = place.parent;
  const directory = await openPlace(place);
  if (!directory) throw noDirectory(parts, id, path);
  await using opened = directory;
  const { file, args, cwd } = await tarInCell(parts.paths.tarCell, opened, extractArguments);
  const input = await readDecompressed(parts.images.uploads.path(uploadId));
  const options = { timeoutMs: tarTimeoutMs, spanName: "tar extract", input, cwd };
  await storing("unpack the archive in the container", async () => {
    try {
      await runCommand(file, args, options);
    } catch (error) {
      throw archiveFault(error) ?? error;
    }
  });
}

/** tar's own words for what is not, or not wholly, an archive. */
const archiveFaults = /does not look like a tar archive|Unexpected EOF|Skipping to next header/;

/** Undefined when it is not the archive that `error` is about. */
function archiveFault(error: unknown): PodfleetError | undefined {
  const stderr = hasCode(error, "RUNTIME_FAILED") ? error.details?.["stderr"] : undefined;
  const [reason] = (typeof stderr === "string" && archiveFaults.exec(stderr)) || [];
  if (reason === undefined) return undefined;
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot unpack the archive: it is not a whole tar archive (${reason})`,
    { cause: error },
  );
}

function noDirectory(parts: EngineParts, id: ContainerId, path: string): PodfleetError {
  const { name } = parts.store.get(id).snapshot;
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot copy to ${JSON.stringify(path)} in container "${name}": it is no directory, must be one`,
    { details: { field: "path", container: name, path } },
  );
}

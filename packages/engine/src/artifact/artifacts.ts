/** Files that are kept with a container, in its directory on the host. */
import { createReadStream } from "node:fs";
import { copyFile, chmod, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import type { Action } from "@podfleet/model/action";
import type { Artifact } from "@podfleet/model/artifact";
import { assertAllowed } from "@podfleet/model/container/state";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { storing } from "@podfleet/storage/file/storage-failure";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";
import { assertUploaded } from "@podfleet/storage/upload/uploaded";

import type { EngineParts } from "../container/engine-parts.ts";
import type { OperationRef } from "../state/state-store.ts";

type AddAction = Extract<Action, { verb: "artifact.add" }>;
type RemoveAction = Extract<Action, { verb: "artifact.remove" }>;

/** libpod's. */
const fileMode = 0o740;
const artifactMsMax = 10 * 60_000;

/**
 * Keeps what was uploaded as the container's artifact of that name, in one step: readers of an older one get that, or this.
 * @throws PodfleetError STATE_INVALID; INVALID_INPUT when the upload is not complete; STORAGE_FAILED; INTERRUPTED when the engine
 * ended during the first attempt and the upload is gone
 */
export async function addArtifact(
  parts: EngineParts,
  operation: OperationRef,
  action: AddAction & { readonly resumed: boolean },
): Promise<void> {
  const { containerId: id, verb, name, uploadId, sizeBytes } = action;
  await parts.locks.run(id, { purpose: verb, holdMsMax: artifactMsMax }, async () => {
    assertAllowed("artifact.add", parts.store.get(id).snapshot);
    if (sizeBytes > 0) await assertUploaded(parts.images.uploads, action);
    const directory = parts.paths.artifacts(id);
    await storing("keep the artifact", async () => {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const fresh = join(directory, freshName);
      if (sizeBytes === 0) await (await open(fresh, "w")).close();
      else await copyFile(parts.images.uploads.path(uploadId), fresh);
      await chmod(fresh, fileMode);
      await sync(fresh);
      await rename(fresh, join(directory, name));
    });
    const note = { event: "artifact.add", attributes: { name, sizeBytes }, operation } as const;
    parts.store.note(id, { ...note, ends: "succeeded" });
  });
  await parts.images.uploads.drop(uploadId);
}

/** No artifact's: they have no `..` in them. */
const freshName = "..new";

async function sync(path: string): Promise<void> {
  await using file = await open(path, "r");
  await file.sync();
}

/** @throws PodfleetError STATE_INVALID, ARTIFACT_NOT_FOUND, STORAGE_FAILED */
export async function removeArtifact(
  parts: EngineParts,
  operation: OperationRef,
  { containerId: id, verb, name, resumed }: RemoveAction & { readonly resumed: boolean },
): Promise<void> {
  await parts.locks.run(id, { purpose: verb, holdMsMax: artifactMsMax }, async () => {
    const { snapshot } = parts.store.get(id);
    assertAllowed("artifact.remove", snapshot);
    const path = join(parts.paths.artifacts(id), name);
    await storing("remove the artifact", async () => {
      if (!resumed && (await findArtifact(path)) === undefined) throw notFound(parts, id, name);
      await rm(path, { force: true });
    });
    const note = { event: "artifact.remove", attributes: { name }, operation } as const;
    parts.store.note(id, { ...note, ends: "succeeded" });
  });
}

/**
 * By name.
 * @throws PodfleetError CONTAINER_NOT_FOUND, STATE_INVALID
 */
export async function listArtifacts(parts: EngineParts, id: ContainerId): Promise<Artifact[]> {
  assertAllowed("readArtifacts", parts.store.get(id).snapshot);
  const directory = parts.paths.artifacts(id);
  return await storing("list the artifacts", async () => {
    const names = (await namesIn(directory)).filter((name) => name !== freshName).toSorted();
    const artifacts = await Promise.all(
      names.map(async (name) => {
        const stats = await findArtifact(join(directory, name));
        return stats ? [{ name, ...stats }] : [];
      }),
    );
    return artifacts.flat();
  });
}

/** Fails with ARTIFACT_NOT_FOUND. */
export function artifactSource(
  parts: EngineParts,
  { id, name }: { readonly id: ContainerId; readonly name: string },
): TransferSource {
  return {
    open: async () => {
      assertAllowed("readArtifacts", parts.store.get(id).snapshot);
      const path = join(parts.paths.artifacts(id), name);
      if (!(await findArtifact(path))) throw notFound(parts, id, name);
      return createReadStream(path, { highWaterMark: 256 * 1024 });
    },
    // Nothing to undo: the stream closes its file.
    close: () => Promise.resolve(),
  };
}

async function findArtifact(path: string): Promise<Omit<Artifact, "name"> | undefined> {
  try {
    const { size, mtime } = await stat(path);
    return { sizeBytes: size, modifiedAt: mtime.toISOString() };
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function notFound(parts: EngineParts, id: ContainerId, artifact: string): PodfleetError {
  const { name } = parts.store.get(id).snapshot;
  return new PodfleetError(
    "ARTIFACT_NOT_FOUND",
    `Cannot find artifact ${JSON.stringify(artifact)}: container "${name}" has none of that name`,
    { details: { container: name, artifact } },
  );
}

/** Files that are kept with a container, in its directory on the host. */
import { createReadStream } from "node:fs";
import { chmod, copyFile, mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import type { Action } from "@podfleet/model/action";
import type { Artifact } from "@podfleet/model/artifact";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { storing } from "@podfleet/storage/file/storage-failure";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";
import { assertUploaded } from "@podfleet/storage/upload/uploaded";
import type { Uploads } from "@podfleet/storage/upload/uploads";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";

type AddAction = Extract<Action, { verb: "artifact.add" }>;
type RemoveAction = Extract<Action, { verb: "artifact.remove" }>;

/** The mode that libpod gives artifacts. */
const fileMode = 0o740;
const artifactMsMax = 10 * 60_000;
/** The name of a file that is being written; an artifact's name has no `..` in it. */
const freshName = "..new";

export interface ArtifactParts {
  readonly locks: Pick<ContainerLocks, "run">;
  readonly store: Pick<StateStore, "get" | "note">;
  readonly uploads: Pick<Uploads, "drop" | "length" | "path">;
  readonly paths: Pick<EnginePaths, "artifacts">;
}

export class ContainerArtifacts {
  readonly #parts: ArtifactParts;

  constructor(parts: ArtifactParts) {
    this.#parts = parts;
  }

  /**
   * Keeps an upload as the container's artifact of that name. Readers get the artifact as it was before, or the new one.
   * @throws PodfleetError STATE_INVALID; INVALID_INPUT when the upload is not complete; STORAGE_FAILED; INTERRUPTED when the engine
   * ended during the first attempt and the upload is gone
   */
  async add(
    operation: OperationRef,
    action: AddAction & { readonly resumed: boolean },
  ): Promise<void> {
    const { locks, paths, store, uploads } = this.#parts;
    const { containerId: id, verb, name, uploadId, sizeBytes } = action;
    await locks.run(id, { purpose: verb, holdMsMax: artifactMsMax }, async () => {
      assertAllowed("artifact.add", store.get(id).snapshot);
      if (sizeBytes > 0) await assertUploaded(uploads, action);
      const source = sizeBytes > 0 ? uploads.path(uploadId) : undefined;
      await storing("keep the artifact", () => replaceFile(paths.artifacts(id), name, source));
      const note = { event: "artifact.add", attributes: { name, sizeBytes }, operation } as const;
      store.note(id, { ...note, ends: "succeeded" });
    });
    await uploads.drop(uploadId);
  }

  /** @throws PodfleetError STATE_INVALID, ARTIFACT_NOT_FOUND, STORAGE_FAILED */
  async remove(
    operation: OperationRef,
    { containerId: id, verb, name, resumed }: RemoveAction & { readonly resumed: boolean },
  ): Promise<void> {
    const { locks, paths, store } = this.#parts;
    await locks.run(id, { purpose: verb, holdMsMax: artifactMsMax }, async () => {
      assertAllowed("artifact.remove", store.get(id).snapshot);
      const path = join(paths.artifacts(id), name);
      await storing("remove the artifact", async () => {
        if (!resumed && (await findArtifact(path)) === undefined) throw this.#notFound(id, name);
        await rm(path, { force: true });
      });
      const note = { event: "artifact.remove", attributes: { name }, operation } as const;
      store.note(id, { ...note, ends: "succeeded" });
    });
  }

  /**
   * Lists the container's artifacts by name.
   * @throws PodfleetError CONTAINER_NOT_FOUND, STATE_INVALID
   */
  async list(id: ContainerId): Promise<Artifact[]> {
    const { paths, store } = this.#parts;
    assertAllowed("readArtifacts", store.get(id).snapshot);
    const directory = paths.artifacts(id);
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

  /** Streams one artifact. The stream fails with ARTIFACT_NOT_FOUND. */
  source(id: ContainerId, name: string): TransferSource {
    const { paths, store } = this.#parts;
    return {
      open: async () => {
        assertAllowed("readArtifacts", store.get(id).snapshot);
        const path = join(paths.artifacts(id), name);
        if (!(await findArtifact(path))) throw this.#notFound(id, name);
        return createReadStream(path, { highWaterMark: 256 * 1024 });
      },
      // Nothing to undo: the stream closes its file.
      close: () => Promise.resolve(),
    };
  }

  #notFound(id: ContainerId, artifact: string): PodfleetError {
    const { name } = this.#parts.store.get(id).snapshot;
    return new PodfleetError(
      "ARTIFACT_NOT_FOUND",
      `Cannot find artifact ${JSON.stringify(artifact)}: container "${name}" has no artifact of that name`,
      { details: { container: name, artifact } },
    );
  }
}

/** Puts a copy of `source` in the place of the file `name`, in one step; an empty file without a source. */
async function replaceFile(
  directory: string,
  name: string,
  source: string | undefined,
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const fresh = join(directory, freshName);
  if (source === undefined) await (await open(fresh, "w")).close();
  else await copyFile(source, fresh);
  await chmod(fresh, fileMode);
  await sync(fresh);
  await rename(fresh, join(directory, name));
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, "r");
  await file.sync();
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

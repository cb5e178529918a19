import type { Action } from "@podfleet/model/action";
import { PodfleetError } from "@podfleet/model/errors";
import type { FileStat } from "@podfleet/model/file";
import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import { archivePath } from "@podfleet/storage/rootfs/archive-files";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";
import { extractTimeoutMs, type IsolatedTar } from "@podfleet/storage/rootfs/isolated-tar";
import { findPlace } from "@podfleet/storage/rootfs/place";
import { unpackFiles } from "@podfleet/storage/rootfs/unpack-files";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";
import { assertUploaded } from "@podfleet/storage/upload/uploaded";
import type { Uploads } from "@podfleet/storage/upload/uploads";

import type { ContainerCleanup } from "../container/container-cleanup.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess } from "../state/container-process.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { RootfsAccess } from "./rootfs-access.ts";

const copyMsMax = extractTimeoutMs + 60_000;

type CopyAction = Extract<Action, { verb: "container.copy" }> & { readonly resumed: boolean };

interface FileRequest {
  readonly containerId: ContainerId;
  readonly path: string;
}

export interface ContainerFileParts {
  readonly access: RootfsAccess;
  readonly tar: IsolatedTar;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly store: Pick<StateStore, "get" | "note">;
  readonly uploads: Pick<Uploads, "drop" | "length" | "path">;
  readonly storage: Pick<ContainerStorage, "mountRootfs">;
  readonly cleanup: Pick<ContainerCleanup, "releaseRootfsLocked">;
}

/** Copies files into and out of containers in any state. */
export class ContainerFiles {
  readonly #parts: ContainerFileParts;

  constructor(parts: ContainerFileParts) {
    this.#parts = parts;
  }

  /**
   * Describes the file at a path, symbolic links followed; undefined when there is none.
   * @throws PodfleetError CONTAINER_NOT_FOUND, STATE_INVALID, STORAGE_FAILED
   */
  async stat({ containerId: id, path }: FileRequest): Promise<FileStat | undefined> {
    return await this.#parts.access.use({ id, method: "copyFrom" }, async (rootfs) => {
      const place = await findPlace(rootfs, path);
      await place?.parent.close();
      return place?.stat;
    });
  }

  /** Streams an archive for the transfer `copy` (model/transfer). The stream fails with PATH_NOT_FOUND. */
  source({ containerId: id, path }: FileRequest): TransferSource {
    const { access, tar } = this.#parts;
    return access.source({ id, method: "copyFrom" }, async (rootfs, signal) => {
      const archive = await archivePath(tar, { rootfs, path }, signal);
      if (!archive) throw this.#pathNotFound(id, path);
      return archive;
    });
  }

  /**
   * Unpacks an uploaded tar archive, plain or compressed, into a directory of the container. A failure half-way leaves a part of the
   * files.
   * @throws PodfleetError STATE_INVALID, PATH_NOT_FOUND; INVALID_INPUT when the path is no directory, the upload is not complete or no
   * archive; STORAGE_FAILED; INTERRUPTED when the engine ended during the first attempt and the upload is gone
   */
  async copyTo(operation: OperationRef, action: CopyAction): Promise<void> {
    const { cleanup, locks, storage, store, uploads } = this.#parts;
    const { containerId: id, verb, path, uploadId } = action;
    await locks.run(id, { purpose: verb, holdMsMax: copyMsMax }, async () => {
      const { snapshot } = store.get(id);
      assertAllowed("copy", snapshot);
      await assertUploaded(uploads, action);
      const rootfs = await storage.mountRootfs(id, snapshot.imageId);
      try {
        await this.#unpack(rootfs, action);
      } finally {
        if (!hasProcess(snapshot)) await cleanup.releaseRootfsLocked(id);
      }
      const note = { event: "container.copy", attributes: { path }, operation } as const;
      store.note(id, { ...note, ends: "succeeded" });
    });
    await uploads.drop(uploadId);
  }

  async #unpack(rootfs: string, { containerId: id, path, uploadId }: CopyAction): Promise<void> {
    const { tar, uploads } = this.#parts;
    const result = await unpackFiles(tar, uploads.path(uploadId), { rootfs, path });
    if (result === "nothing at the path") throw this.#pathNotFound(id, path);
    if (result === "not a directory") throw this.#notDirectory(id, path);
  }

  #pathNotFound(id: ContainerId, path: string): PodfleetError {
    const { name } = this.#parts.store.get(id).snapshot;
    return new PodfleetError(
      "PATH_NOT_FOUND",
      `Cannot find ${JSON.stringify(path)} in container "${name}": nothing is at that path`,
      { details: { container: name, path } },
    );
  }

  #notDirectory(id: ContainerId, path: string): PodfleetError {
    const { name } = this.#parts.store.get(id).snapshot;
    return new PodfleetError(
      "INVALID_INPUT",
      `Cannot copy to ${JSON.stringify(path)} in container "${name}": it is not a directory`,
      { details: { field: "path", container: name, path } },
    );
  }
}

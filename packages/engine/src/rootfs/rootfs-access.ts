import type { Readable } from "node:stream";

import type { ContainerId } from "@podfleet/model/ids";
import { assertAllowed, type ContainerMethod } from "@podfleet/model/verb/container-methods";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { ContainerCleanup } from "../container/container-cleanup.ts";
import { undoAfter } from "../container/undo.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import { hasProcess } from "../state/container-process.ts";
import type { StateStore } from "../state/state-store.ts";
import type { RootfsUses } from "./rootfs-uses.ts";

const mountMsMax = 60_000;

export interface RootfsAccessParts {
  readonly locks: Pick<ContainerLocks, "run">;
  readonly store: Pick<StateStore, "find" | "get">;
  readonly storage: Pick<ContainerStorage, "mountRootfs">;
  readonly uses: Pick<RootfsUses, "add" | "drop">;
  readonly cleanup: Pick<ContainerCleanup, "releaseRootfsLocked">;
}

interface Access {
  readonly id: ContainerId;
  /** The method that the container's state has to allow. */
  readonly method: ContainerMethod;
}

/**
 * Reads root filesystems of containers in any state. One that is not mounted is mounted meanwhile; the container's lock is held only
 * while it is mounted and unmounted.
 */
export class RootfsAccess {
  readonly #parts: RootfsAccessParts;

  constructor(parts: RootfsAccessParts) {
    this.#parts = parts;
  }

  /**
   * Runs `body` with the path of the mounted root filesystem.
   * @throws PodfleetError STATE_INVALID, STORAGE_FAILED
   */
  async use<T>(access: Access, body: (rootfs: string) => Promise<T>): Promise<T> {
    const rootfs = await this.#begin(access);
    try {
      return await body(rootfs);
    } finally {
      await this.#end(access.id);
    }
  }

  /** Returns a source whose stream `read` makes of the root filesystem; the signal ends what `read` has started. */
  source(
    access: Access,
    read: (rootfs: string, signal: AbortSignal) => Promise<Readable>,
  ): TransferSource {
    const end = new AbortController();
    return {
      open: async () => {
        const rootfs = await this.#begin(access);
        try {
          return await read(rootfs, end.signal);
        } catch (error) {
          await undoAfter(error, () => this.#end(access.id));
          throw error;
        }
      },
      close: async () => {
        end.abort();
        await this.#end(access.id);
      },
    };
  }

  async #begin({ id, method }: Access): Promise<string> {
    const { locks, storage, store, uses } = this.#parts;
    const request = { purpose: `container.${method}`, holdMsMax: mountMsMax };
    return await locks.run(id, request, async () => {
      const { snapshot } = store.get(id);
      assertAllowed(method, snapshot);
      const rootfs = await storage.mountRootfs(id, snapshot.imageId);
      uses.add(id);
      return rootfs;
    });
  }

  async #end(id: ContainerId): Promise<void> {
    const { cleanup, locks, store, uses } = this.#parts;
    uses.drop(id);
    await locks.run(id, { purpose: "rootfs.release", holdMsMax: mountMsMax }, async () => {
      const record = store.find(id);
      if (record && !hasProcess(record.snapshot)) await cleanup.releaseRootfsLocked(id);
    });
  }
}

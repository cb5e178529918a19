import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { Readable } from "node:stream";

import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { initDestination } from "@podfleet/oci/spec/mounts";
import { archiveRootfs } from "@podfleet/storage/rootfs/archive-files";
import type { ContainerStorage } from "@podfleet/storage/rootfs/container-storage";
import type { IsolatedTar } from "@podfleet/storage/rootfs/isolated-tar";
import { listChanges, type RootfsLayers } from "@podfleet/storage/rootfs/rootfs-changes";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { StateStore } from "../state/state-store.ts";
import type { RootfsAccess } from "./rootfs-access.ts";

export interface RootfsStreamParts {
  readonly access: RootfsAccess;
  readonly tar: IsolatedTar;
  readonly store: Pick<StateStore, "get" | "note">;
  readonly storage: Pick<ContainerStorage, "openImage" | "writableLayer">;
}

/** Streams of a container's whole root filesystem: its export, and its changes against the image. */
export class RootfsStreams {
  readonly #parts: RootfsStreamParts;

  constructor(parts: RootfsStreamParts) {
    this.#parts = parts;
  }

  /** Streams a tar archive of the root filesystem: the transfer `export` (model/transfer). */
  export(id: ContainerId): TransferSource {
    const { access, store, tar } = this.#parts;
    return access.source({ id, method: "export" }, async (rootfs, signal) => {
      const archive = await archiveRootfs(tar, rootfs, signal);
      if (!archive) throw notMounted(id);
      store.note(id, { event: "container.export" });
      return archive;
    });
  }

  /** Streams the changes as lines of JSON: the transfer `diff` (model/transfer). */
  diff(id: ContainerId): TransferSource {
    const { access, storage, store } = this.#parts;
    return access.source({ id, method: "diff" }, async (rootfs) => {
      const upper = await open(storage.writableLayer(id), constants.O_DIRECTORY);
      try {
        const image = await storage.openImage(id, store.get(id).snapshot.imageId);
        return Readable.from(changeLines({ rootfs, upper, image }), { objectMode: false });
      } catch (error) {
        await upper.close();
        throw error;
      }
    });
  }
}

async function* changeLines(layers: RootfsLayers): AsyncGenerator<Buffer> {
  for await (const change of listChanges(layers)) {
    if (!madeByStart.has(change.path)) yield Buffer.from(`${JSON.stringify(change)}\n`);
  }
}

/** Paths that starting a container makes; podman leaves them out too. */
const madeByStart: ReadonlySet<string> = new Set([
  ...["/dev", "/proc", "/sys", "/run", "/run/.containerenv", "/run/secrets", initDestination],
  ...["/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf"],
]);

function notMounted(id: ContainerId): PodfleetError {
  return new PodfleetError(
    "STORAGE_FAILED",
    `Cannot read the root filesystem of container "${id}": it is not mounted any more`,
  );
}

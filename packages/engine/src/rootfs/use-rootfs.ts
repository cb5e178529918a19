import type { Readable } from "node:stream";

import { assertAllowed, type ContainerMethod } from "@podfleet/model/container/state";
import type { ContainerId } from "@podfleet/model/ids";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { EngineParts } from "../container/engine-parts.ts";
import { undoAfter } from "../container/undo.ts";
/** Reading a container's root filesystem, in whatever state it is: it is mounted for that when it is not. */
import { hasProcess } from "../state/container-process.ts";

const mountMsMax = 60_000;

/**
 * Runs `body` with the path of the root filesystem. The lock is held while it is mounted and unmounted only.
 * @throws PodfleetError STATE_INVALID, STORAGE_FAILED
 */
export async function withRootfs<T>(
  parts: EngineParts,
  { id, method }: { readonly id: ContainerId; readonly method: ContainerMethod },
  body: (rootfs: string) => Promise<T>,
): Promise<T> {
  const rootfs = await beginUse(parts, id, method);
  try {
    return await body(rootfs);
  } finally {
    await endUse(parts, id);
  }
}

/** A stream that `read` makes of the root filesystem, and ends when the signal that it is given is aborted. */
export function rootfsSource(
  parts: EngineParts,
  { id, method }: { readonly id: ContainerId; readonly method: ContainerMethod },
  read: (rootfs: string, signal: AbortSignal) => Promise<Readable>,
): TransferSource {
  const end = new AbortController();
  return {
    open: async () => {
      const rootfs = await beginUse(parts, id, method);
      try {
        return await read(rootfs, end.signal);
      } catch (error) {
        await undoAfter(error, () => endUse(parts, id));
        throw error;
      }
    },
    close: async () => {
      end.abort();
      await endUse(parts, id);
    },
  };
}

async function beginUse(
  parts: EngineParts,
  id: ContainerId,
  method: ContainerMethod,
): Promise<string> {
  const request = { purpose: `container.${method}`, holdMsMax: mountMsMax };
  return await parts.locks.run(id, request, async () => {
    const { snapshot } = parts.store.get(id);
    assertAllowed(method, snapshot);
    const rootfs = await parts.storage.mountRootfs(id, snapshot.imageId);
    parts.rootfsUses.add(id);
    return rootfs;
  });
}

async function endUse(parts: EngineParts, id: ContainerId): Promise<void> {
  parts.rootfsUses.drop(id);
  await parts.locks.run(id, { purpose: "rootfs.release", holdMsMax: mountMsMax }, async () => {
    const record = parts.store.find(id);
    if (record && !hasProcess(record.snapshot)) await parts.cleanup.releaseRootfsLocked(id);
  });
}

import type { FileStat } from "@podfleet/model/file";
import type { ContainerId } from "@podfleet/model/ids";
import { findPlace } from "@podfleet/storage/rootfs/place";

import type { EngineParts } from "../container/engine-parts.ts";
import { withRootfs } from "./use-rootfs.ts";

/**
 * What is at a path in the container, symbolic links followed; undefined when there is nothing.
 * @throws PodfleetError CONTAINER_NOT_FOUND, STATE_INVALID, STORAGE_FAILED
 */
export async function statPath(
  parts: EngineParts,
  { containerId: id, path }: { readonly containerId: ContainerId; readonly path: string },
): Promise<FileStat | undefined> {
  return await withRootfs(parts, { id, method: "copyFrom" }, async (rootfs) => {
    const place = await findPlace(rootfs, path);
    await place?.parent.close();
    return place?.stat;
  });
}

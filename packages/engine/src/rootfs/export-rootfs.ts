import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { streamCommand } from "@podfleet/oci/process/stream-command";
import { findPlace } from "@podfleet/storage/rootfs/place";
import { tarInCell } from "@podfleet/storage/rootfs/tar-cell";
import { createArguments, createExitCodes } from "@podfleet/storage/rootfs/tar-options";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { EngineParts } from "../container/engine-parts.ts";
import { rootfsSource } from "./use-rootfs.ts";

/** The whole root filesystem as a tar archive, with owners, modes, links, times and extended attributes; what is mounted in it is not. */
export function rootfsExport(parts: EngineParts, id: ContainerId): TransferSource {
  return rootfsSource(parts, { id, method: "export" }, async (rootfs, signal) => {
    const place = await findPlace(rootfs, "/");
    if (!place) throw gone(id);
    await using root = place.parent;
    // Names as in an image's layer: `etc/passwd`, not `./etc/passwd`.
    const args = [...createArguments, "--transform", String.raw`flags=rh;s,^\./,,`, "."];
    const { file, args: all, cwd } = await tarInCell(parts.paths.tarCell, root, args);
    const options = { spanName: "tar create", cwd, signal, goodExitCodes: createExitCodes };
    const stream = streamCommand(file, all, options);
    parts.store.note(id, { event: "container.export" });
    return stream;
  });
}

function gone(id: ContainerId): PodfleetError {
  return new PodfleetError(
    "STORAGE_FAILED",
    `Cannot read the root filesystem of container "${id}": it is not mounted any more`,
  );
}

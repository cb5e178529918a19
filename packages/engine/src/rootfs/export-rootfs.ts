import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";
import { streamCommand } from "../oci/stream-command.ts";
import type { TransferSource } from "../transfer/transfers.ts";
import { findPlace } from "./place.ts";
import { tarInCell } from "./tar-cell.ts";
import { createArguments, createExitCodes } from "./tar-options.ts";
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

import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";
import { findTool } from "../oci/run-command.ts";
import { streamCommand } from "../oci/stream-command.ts";
import type { TransferSource } from "../transfer/transfers.ts";
import { findManifest, imageName, manifestName, rootfsName } from "./manifest.ts";

/** The container's checkpoint as an archive: a tar whose first entry is the manifest. */
export function checkpointArchive(parts: EngineParts, id: ContainerId): TransferSource {
  const end = new AbortController();
  return {
    open: async () => {
      const { snapshot } = parts.store.get(id);
      const directory = parts.paths.checkpoint(id);
      const manifest = await findManifest(directory);
      if (!manifest?.forArchive) throw notFound(snapshot.name, manifest !== undefined);
      const entries = [manifestName, imageName, ...(manifest.hasRootfs ? [rootfsName] : [])];
      const args = ["--create", "--file", "-", "--numeric-owner", "--sparse", "--", ...entries];
      const options = { spanName: "tar create", cwd: directory, signal: end.signal };
      return streamCommand(findTool("tar"), args, options);
    },
    close: async () => end.abort(),
  };
}

function notFound(name: string, isThere: boolean): PodfleetError {
  const state = isThere ? "its checkpoint was not made for an archive" : "it has no checkpoint";
  return new PodfleetError(
    "CHECKPOINT_NOT_FOUND",
    `Cannot export a checkpoint of container "${name}": ${state}, checkpoint it for an archive first`,
    { details: { container: name } },
  );
}

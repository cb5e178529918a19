import { checkpointEntries } from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { findTool } from "@podfleet/oci/process/run-command";
import { streamCommand } from "@podfleet/oci/process/stream-command";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { EngineParts } from "../container/engine-parts.ts";
import { findManifest } from "./manifest.ts";

/** The container's checkpoint as an archive (model/container/checkpoint). */
export function checkpointArchive(parts: EngineParts, id: ContainerId): TransferSource {
  const end = new AbortController();
  return {
    open: async () => {
      const { name, checkpoint } = parts.store.get(id).snapshot;
      const cwd = parts.paths.checkpoint(id);
      const manifest = checkpoint && (await findManifest(cwd));
      if (!manifest?.forArchive) throw notFound(name, manifest !== undefined);
      const paths = [checkpointEntries.manifest, ...manifest.files.map(({ path }) => path)];
      const args = [
        "--create",
        "--file",
        "-",
        "--format",
        "pax",
        "--numeric-owner",
        "--",
        ...paths,
      ];
      return streamCommand(findTool("tar"), args, {
        spanName: "tar create",
        cwd,
        signal: end.signal,
      });
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

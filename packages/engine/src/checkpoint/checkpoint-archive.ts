import { checkpointEntries } from "@podfleet/model/container/checkpoint";
import { PodfleetError } from "@podfleet/model/errors";
import type { ContainerId } from "@podfleet/model/ids";
import { findTool } from "@podfleet/oci/process/run-command";
import { streamCommand } from "@podfleet/oci/process/stream-command";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { StateStore } from "../state/state-store.ts";
import { findManifest } from "./manifest.ts";

export interface CheckpointArchiveParts {
  readonly store: Pick<StateStore, "get">;
  readonly paths: Pick<EnginePaths, "checkpoint">;
}

/** Streams the container's checkpoint as an archive (model/container/checkpoint). */
export function checkpointArchive(parts: CheckpointArchiveParts, id: ContainerId): TransferSource {
  const end = new AbortController();
  return {
    open: async () => {
      const { name, checkpoint } = parts.store.get(id).snapshot;
      const cwd = parts.paths.checkpoint(id);
      const manifest = checkpoint && (await findManifest(cwd));
      if (!manifest?.forArchive) throw notFound(name, manifest !== undefined);
      const paths = [checkpointEntries.manifest, ...manifest.files.map(({ path }) => path)];
      const options = ["--create", "--file", "-", "--format", "pax", "--numeric-owner"];
      const args = [...options, "--", ...paths];
      return streamCommand(findTool("tar"), args, {
        spanName: "tar create",
        cwd,
        signal: end.signal,
      });
    },
    close: async () => end.abort(),
  };
}

function notFound(name: string, hasCheckpoint: boolean): PodfleetError {
  const state = hasCheckpoint
    ? "its checkpoint was not made for an archive"
    : "it has no checkpoint";
  return new PodfleetError(
    "CHECKPOINT_NOT_FOUND",
    `Cannot export a checkpoint of container "${name}": ${state}, checkpoint it for an archive first`,
    { details: { container: name } },
  );
}

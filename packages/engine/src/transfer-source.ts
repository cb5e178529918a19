import type { TransferRequest } from "@podfleet/model/transfer";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import type { ContainerArtifacts } from "./artifact/container-artifacts.ts";
import { checkpointArchive, type CheckpointArchiveParts } from "./checkpoint/checkpoint-archive.ts";
import type { ContainerFiles } from "./rootfs/container-files.ts";
import type { RootfsStreams } from "./rootfs/rootfs-streams.ts";

export interface TransferSourceParts extends CheckpointArchiveParts {
  readonly artifacts: Pick<ContainerArtifacts, "source">;
  readonly files: Pick<ContainerFiles, "source">;
  readonly rootfsStreams: RootfsStreams;
}

/** Returns the source of the stream that a transfer sends; nothing is read before it is opened. */
export function transferSource(
  parts: TransferSourceParts,
  request: TransferRequest,
): TransferSource {
  const { containerId: id } = request;
  switch (request.kind) {
    case "checkpoint":
      return checkpointArchive(parts, id);
    case "export":
      return parts.rootfsStreams.export(id);
    case "copy":
      return parts.files.source(request);
    case "diff":
      return parts.rootfsStreams.diff(id);
    case "artifact":
      return parts.artifacts.source(id, request.name);
  }
}

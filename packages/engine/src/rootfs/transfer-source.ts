import type { TransferRequest } from "@podfleet/model/transfer";
import type { TransferSource } from "@podfleet/storage/transfer/transfers";

import { artifactSource } from "../artifact/artifacts.ts";
import { checkpointArchive } from "../checkpoint/checkpoint-archive.ts";
import type { EngineParts } from "../container/engine-parts.ts";
import { copyFrom } from "./copy-from.ts";
import { rootfsDiff } from "./diff.ts";
import { rootfsExport } from "./export-rootfs.ts";

/** What to read for a request; nothing is done yet. */
export function transferSource(parts: EngineParts, request: TransferRequest): TransferSource {
  const { containerId: id } = request;
  switch (request.kind) {
    case "checkpoint":
      return checkpointArchive(parts, id);
    case "export":
      return rootfsExport(parts, id);
    case "copy":
      return copyFrom(parts, { id, path: request.path });
    case "diff":
      return rootfsDiff(parts, id);
    case "artifact":
      return artifactSource(parts, { id, name: request.name });
  }
}

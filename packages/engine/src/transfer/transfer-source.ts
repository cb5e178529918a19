import type { TransferRequest } from "@podfleet/model/transfer";

import { checkpointArchive } from "../checkpoint/checkpoint-archive.ts";
import type { EngineParts } from "../container/engine-parts.ts";
import type { TransferSource } from "./transfers.ts";

/** What to read for a request; nothing is done yet. */
export function transferSource(parts: EngineParts, request: TransferRequest): TransferSource {
  switch (request.kind) {
    case "checkpoint":
      return checkpointArchive(parts, request.containerId);
  }
}

import { PodfleetError } from "@podfleet/model/errors";
import type { OperationId } from "@podfleet/model/ids";

import type { Uploads } from "./uploads.ts";

export interface Uploaded {
  readonly uploadId: OperationId;
  readonly sizeBytes: number;
  /** Whether the engine ended during the first attempt. */
  readonly resumed: boolean;
}

/**
 * Checks that the upload is complete.
 * @throws PodfleetError INVALID_INPUT; INTERRUPTED for a resumed attempt, whose upload may have been dropped
 */
export async function assertUploaded(
  uploads: Pick<Uploads, "length">,
  { uploadId, sizeBytes, resumed }: Uploaded,
): Promise<void> {
  const length = await uploads.length(uploadId);
  if (length === sizeBytes && (length > 0 || !resumed)) return;
  if (resumed) {
    throw new PodfleetError(
      "INTERRUPTED",
      `Cannot finish with upload "${uploadId}": the agent ended meanwhile, send it again`,
      { details: { uploadId } },
    );
  }
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot use upload "${uploadId}": the host holds ${length} bytes of it, must be ${sizeBytes}`,
    { details: { field: "uploadId", uploadId, length, sizeBytes } },
  );
}

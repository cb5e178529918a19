import type { Action } from "@podfleet/model/action";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { Image } from "@podfleet/model/image";

import type { EngineParts } from "../container/engine-parts.ts";
import type { OperationRef } from "../state/state-store.ts";

/**
 * Makes the images of an uploaded archive available to containers, and drops the upload.
 * @throws PodfleetError INVALID_INPUT when the upload is not complete; IMAGE_INVALID; STORAGE_FAILED; INTERRUPTED when the
 * engine ended during the first attempt and the upload is gone
 */
export async function loadImages(
  parts: EngineParts,
  operation: OperationRef,
  action: Extract<Action, { verb: "image.load" }> & { readonly resumed: boolean },
): Promise<void> {
  const images = await load(parts, action);
  for (const image of images) {
    parts.store.note(undefined, { event: "image.load", image, operation });
  }
  parts.store.note(undefined, {
    event: "operation.finished",
    operation,
    ends: "succeeded",
    images,
  });
  // Not before the commit: an engine that is killed in between leaves it to the next one.
  await parts.images.uploads.drop(action.uploadId);
}

async function load(
  parts: EngineParts,
  { uploadId, sizeBytes, resumed }: Parameters<typeof loadImages>[2],
): Promise<Image[]> {
  try {
    return await parts.images.load(uploadId, sizeBytes);
  } catch (error) {
    if (!hasCode(error, "INVALID_INPUT")) await parts.images.uploads.drop(uploadId);
    if (!resumed || !hasCode(error, "INVALID_INPUT")) throw error;
    throw new PodfleetError(
      "INTERRUPTED",
      `Cannot finish loading upload "${uploadId}": the agent ended meanwhile, send the archive again`,
      { details: { uploadId }, cause: error },
    );
  }
}

import type { Action } from "@podfleet/model/action";

import type { EngineParts } from "../container/engine-parts.ts";
import type { OperationRef } from "../state/state-store.ts";

/**
 * Makes the images of an uploaded archive available to containers.
 * @throws PodfleetError IMAGE_INVALID, STORAGE_FAILED
 */
export async function loadImages(
  parts: EngineParts,
  operation: OperationRef,
  { uploadId, sizeBytes }: Extract<Action, { verb: "image.load" }>,
): Promise<void> {
  const images = await parts.images.load(uploadId, sizeBytes);
  for (const image of images) {
    parts.store.note(undefined, { event: "image.load", image, operation });
  }
  parts.store.note(undefined, {
    event: "operation.finished",
    operation,
    ends: "succeeded",
    images,
  });
}

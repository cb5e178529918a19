import type { Action } from "@podfleet/model/action";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { Image } from "@podfleet/model/image";
import type { ImageStore } from "@podfleet/storage/image/image-store";

import type { OperationRef, StateStore } from "../state/state-store.ts";

type LoadAction = Extract<Action, { verb: "image.load" }> & { readonly resumed: boolean };

export interface ImageLoadingParts {
  readonly images: Pick<ImageStore, "load" | "uploads">;
  readonly store: Pick<StateStore, "note">;
}

export class ImageLoading {
  readonly #parts: ImageLoadingParts;

  constructor(parts: ImageLoadingParts) {
    this.#parts = parts;
  }

  /**
   * Makes the images of an uploaded archive available to containers, and drops the upload.
   * @throws PodfleetError INVALID_INPUT when the upload is not complete; IMAGE_INVALID; STORAGE_FAILED; INTERRUPTED when the
   * engine ended during the first attempt and the upload is gone
   */
  async load(operation: OperationRef, action: LoadAction): Promise<void> {
    const { images: imageStore, store } = this.#parts;
    const images = await this.#takeIn(action);
    for (const image of images) {
      store.note(undefined, { event: "image.load", image, operation });
    }
    store.note(undefined, { event: "operation.finished", operation, ends: "succeeded", images });
    // Not before the commit: an engine that is killed in between leaves it to the next one.
    await imageStore.uploads.drop(action.uploadId);
  }

  async #takeIn({ uploadId, sizeBytes, resumed }: LoadAction): Promise<Image[]> {
    const { images } = this.#parts;
    try {
      return await images.load(uploadId, sizeBytes);
    } catch (error) {
      if (!hasCode(error, "INVALID_INPUT")) await images.uploads.drop(uploadId);
      if (!resumed || !hasCode(error, "INVALID_INPUT")) throw error;
      throw new PodfleetError(
        "INTERRUPTED",
        `Cannot finish loading upload "${uploadId}": the agent ended meanwhile, send the archive again`,
        { details: { uploadId }, cause: error },
      );
    }
  }
}

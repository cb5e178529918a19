import type { IncomingMessage } from "node:http";

import { PodfleetError } from "@podfleet/model/errors";

/** A reader that stops early leaves the rest of the body to be read, so that the caller can be answered. @throws PodfleetError CANCELLED while it is read, when the caller breaks off */
export async function* archiveOf(body: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    const parts: AsyncIterable<Uint8Array> = body.iterator({ destroyOnReturn: false });
    yield* parts;
  } catch (error) {
    throw new PodfleetError("CANCELLED", "The caller broke off the upload", { cause: error });
  }
}

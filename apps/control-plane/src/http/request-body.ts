import type { IncomingMessage } from "node:http";

import { PodfleetError } from "@podfleet/model/errors";

/** The body of a request as a stream. A reader that stops early does not destroy the request, so that the caller still gets a reply. @throws PodfleetError CANCELLED while it is read, when the caller closes the connection */
export async function* archiveOf(body: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    const parts: AsyncIterable<Uint8Array> = body.iterator({ destroyOnReturn: false });
    yield* parts;
  } catch (error) {
    throw new PodfleetError("CANCELLED", "The caller closed the connection during the upload", {
      cause: error,
    });
  }
}

/** Streams bytes from a host as the body of a reply. */
import { Readable } from "node:stream";

import type { FastifyReply } from "fastify";

/** Aborted when the connection closes before the reply is sent. */
export function closedEarly(reply: FastifyReply): AbortSignal {
  const abort = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) abort.abort();
  });
  return abort.signal;
}

/**
 * Sends `pieces` with back-pressure. A failure before the first piece becomes an error reply; a later one breaks
 * the connection off, so that the client does not take a part for the whole.
 */
export async function sendStream(
  reply: FastifyReply,
  contentType: string,
  pieces: AsyncGenerator<Uint8Array>,
): Promise<FastifyReply> {
  const first = await pieces.next();
  reply.raw.once("close", () => {
    // Safe to ignore: the client that waited for the pieces is gone.
    pieces.return(undefined).catch(() => undefined);
  });
  const body = async function* (): AsyncGenerator<Uint8Array> {
    if (first.done !== true) yield first.value;
    yield* pieces;
  };
  return await reply.type(contentType).send(Readable.from(body(), { objectMode: false }));
}

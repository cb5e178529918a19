import { containerSummarySchema } from "@podfleet/model/container/record";
import { PodfleetError, wireErrorSchema } from "@podfleet/model/errors";
import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import type { Connection } from "./connection.ts";
import { persist } from "./retrying.ts";

export interface UploadOptions {
  /** Called with the number of bytes sent so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface Upload<Answer> extends UploadOptions {
  readonly url: URL;
  readonly archive: Blob | ReadableStream<Uint8Array>;
  /** Default POST. */
  readonly method?: "POST" | "PUT";
  readonly answer: z.ZodType<Answer>;
}

/** Answer of uploads to a container. */
export const containerResultSchema = z.object({
  operationId: operationIdSchema,
  container: containerSummarySchema,
});
export type ContainerResult = z.infer<typeof containerResultSchema>;

/**
 * Streams an archive to the control plane without buffering it. A Blob (`openAsBlob(path)`) is sent again after an outage of the
 * control plane; a stream cannot be.
 * @throws PodfleetError UNAVAILABLE, or the control plane's error
 */
export async function upload<Answer>(
  connection: Connection,
  { url, archive, answer, method = "POST", ...options }: Upload<Answer>,
): Promise<Answer> {
  const send = async (body: ReadableStream<Uint8Array>): Promise<Answer> =>
    answer.parse(await sendOnce(connection, { url, method, body }, options));
  if (!(archive instanceof Blob)) return await send(archive);
  const { signal } = options;
  return await persist(async () => await send(archive.stream()), {
    whenDown: "fail",
    ...(signal ? { signal } : {}),
  });
}

const refusalSchema = z.object({ error: wireErrorSchema });

interface Request {
  readonly url: URL;
  readonly method: string;
  readonly body: ReadableStream<Uint8Array>;
}

async function sendOnce(
  connection: Connection,
  { url, method, body }: Request,
  { onProgress, signal }: UploadOptions,
): Promise<unknown> {
  const response = await connection.fetch(url, {
    method,
    headers: { "content-type": "application/octet-stream" },
    body: onProgress ? body.pipeThrough(counting(onProgress)) : body,
    // fetch requires it for a streamed body.
    duplex: "half",
    ...(signal ? { signal } : {}),
  } as RequestInit);
  if (!response.headers.get("content-type")?.startsWith("application/json")) {
    throw await connection.unexpected(response);
  }
  const answer: unknown = await response.json();
  const refusal = refusalSchema.safeParse(answer);
  if (refusal.success) throw PodfleetError.fromWire(refusal.data.error);
  return answer;
}

function counting(onProgress: (bytes: number) => void): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      onProgress(bytes);
      controller.enqueue(chunk);
    },
  });
}

import { wireErrorSchema, PodfleetError } from "@podfleet/model/errors";
import { newOperationId } from "@podfleet/model/ids";
import { imageLoadResultSchema } from "@podfleet/model/image";
import type { ImageLoadResult } from "@podfleet/model/image";
import { z } from "zod";

import type { Connection } from "./connection.ts";
import { persist } from "./retrying.ts";

export interface ImageLoadOptions {
  /** Names of the hosts to load it on; every host that is ready when absent. */
  readonly hosts?: readonly string[];
  /** Called with the number of bytes handed to the network so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

const answerSchema = z.union([imageLoadResultSchema, z.object({ error: wireErrorSchema })]);

/**
 * Loads an OCI or Docker image archive, plain or gzip, on hosts of the fleet. The archive is streamed; nothing of it is kept here. A
 * Blob (`openAsBlob(path)`) is sent again when the control plane goes away meanwhile; a stream cannot be.
 * @returns what each host made of it: one that failed does not fail the others
 * @throws PodfleetError IMAGE_INVALID, UNAVAILABLE
 */
export async function loadImage(
  connection: Connection,
  archive: Blob | ReadableStream<Uint8Array>,
  options: ImageLoadOptions = {},
): Promise<ImageLoadResult> {
  const url = new URL(`${connection.url}/images/load`);
  url.searchParams.set("operationId", newOperationId());
  for (const host of options.hosts ?? []) url.searchParams.append("host", host);
  if (!(archive instanceof Blob)) return await send(connection, { url, body: archive }, options);
  const attempt = async (): Promise<ImageLoadResult> =>
    await send(connection, { url, body: archive.stream() }, options);
  const { signal } = options;
  return await persist(attempt, { whenDown: "fail", ...(signal ? { signal } : {}) });
}

interface Upload {
  readonly url: URL;
  readonly body: ReadableStream<Uint8Array>;
}

async function send(
  connection: Connection,
  { url, body }: Upload,
  { onProgress, signal }: ImageLoadOptions,
): Promise<ImageLoadResult> {
  const response = await connection.fetch(url, {
    method: "POST",
    headers: { "content-type": "application/octet-stream" },
    body: onProgress ? body.pipeThrough(counting(onProgress)) : body,
    // A streamed body is sent while the answer may already come; fetch wants that said.
    duplex: "half",
    ...(signal ? { signal } : {}),
  } as RequestInit);
  if (!response.headers.get("content-type")?.startsWith("application/json")) {
    throw await connection.unexpected(response);
  }
  const answer = answerSchema.parse(await response.json());
  if ("error" in answer) throw PodfleetError.fromWire(answer.error);
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

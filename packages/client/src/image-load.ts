import { newOperationId } from "@podfleet/model/ids";
import { imageLoadResultSchema } from "@podfleet/model/image";
import type { ImageLoadResult } from "@podfleet/model/image";

import type { Connection } from "./connection.ts";
import { upload } from "./upload.ts";
import type { UploadOptions } from "./upload.ts";

export interface ImageLoadOptions extends UploadOptions {
  /** Names of the hosts to load it on; every host that is ready when absent. */
  readonly hosts?: readonly string[];
}

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
  return await upload(connection, { ...options, url, archive, answer: imageLoadResultSchema });
}

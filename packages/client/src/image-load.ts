import { newOperationId } from "@podfleet/model/ids";
import { imageLoadResultSchema } from "@podfleet/model/image";
import type { ImageLoadResult } from "@podfleet/model/image";

import type { Connection } from "./connection.ts";
import { upload } from "./upload.ts";
import type { UploadOptions } from "./upload.ts";

export interface ImageLoadOptions extends UploadOptions {
  /** Names of the hosts; all ready hosts when absent. */
  readonly hosts?: readonly string[];
}

/**
 * Loads an OCI or Docker image archive, plain or gzip, on hosts of the fleet.
 * @returns the result of each host; a host that fails does not fail the others
 * @throws PodfleetError IMAGE_INVALID, and the errors of `upload`
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

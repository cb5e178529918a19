import type { ImportOptions } from "@podfleet/model/container/checkpoint";
/** Checkpoints as archives on the caller's side. */
import { containerSummarySchema } from "@podfleet/model/container/record";
import { newOperationId, operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import type { Connection } from "./connection.ts";
import { download } from "./download.ts";
import { upload } from "./upload.ts";
import type { UploadOptions } from "./upload.ts";

export interface RestoreArchiveOptions extends Partial<ImportOptions>, UploadOptions {
  /** Of the new container; made up when absent. */
  readonly name?: string;
  /** Name or id of the host; chosen when absent. */
  readonly host?: string;
}

const resultSchema = z.object({
  operationId: operationIdSchema,
  container: containerSummarySchema,
});
export type RestoreArchiveResult = z.infer<typeof resultSchema>;

/**
 * The archive of a container's last checkpoint, which was made for one.
 * @throws PodfleetError CHECKPOINT_NOT_FOUND, and what `download` throws
 */
export function downloadCheckpoint(
  connection: Connection,
  container: string,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const path = `/containers/${encodeURIComponent(container)}/checkpoint`;
  return download(connection, { path, signal });
}

/**
 * Makes a new container that goes on where the checkpoint in `archive` left off.
 * @throws PodfleetError CHECKPOINT_INVALID, NAME_IN_USE, CHECKPOINT_FAILED, and what `upload` throws
 */
export async function restoreArchive(
  connection: Connection,
  archive: Blob | ReadableStream<Uint8Array>,
  { onProgress, signal, ...wish }: RestoreArchiveOptions = {},
): Promise<RestoreArchiveResult> {
  const url = new URL(`${connection.url}/containers/restore`);
  url.searchParams.set("operationId", newOperationId());
  for (const [name, value] of Object.entries(wish)) url.searchParams.set(name, String(value));
  const options = { ...(onProgress ? { onProgress } : {}), ...(signal ? { signal } : {}) };
  return await upload(connection, { ...options, url, archive, answer: resultSchema });
}

/** Download and restore of checkpoint archives. */
import type { ImportOptions } from "@podfleet/model/container/checkpoint";
import { newOperationId } from "@podfleet/model/ids";

import type { Connection } from "./connection.ts";
import { download } from "./download.ts";
import { type ContainerResult, containerResultSchema, upload } from "./upload.ts";
import type { UploadOptions } from "./upload.ts";

export interface RestoreArchiveOptions extends Partial<ImportOptions>, UploadOptions {
  /** Name of the new container; generated when absent. */
  readonly name?: string;
  /** Name or id of the host; placed by the planner when absent. */
  readonly host?: string;
}

/**
 * Downloads the archive of a container's last checkpoint.
 * @throws PodfleetError CHECKPOINT_NOT_FOUND, and the errors of `download`
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
 * Restores a checkpoint archive as a new container.
 * @throws PodfleetError CHECKPOINT_INVALID, NAME_IN_USE, CHECKPOINT_FAILED, and the errors of `upload`
 */
export async function restoreArchive(
  connection: Connection,
  archive: Blob | ReadableStream<Uint8Array>,
  { onProgress, signal, ...settings }: RestoreArchiveOptions = {},
): Promise<ContainerResult> {
  const url = new URL(`${connection.url}/containers/restore`);
  url.searchParams.set("operationId", newOperationId());
  for (const [name, value] of Object.entries(settings)) url.searchParams.set(name, String(value));
  const options = { ...(onProgress ? { onProgress } : {}), ...(signal ? { signal } : {}) };
  return await upload(connection, { ...options, url, archive, answer: containerResultSchema });
}

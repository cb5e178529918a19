/** Files of containers on the caller's side: their root filesystems, what is in those, and their artifacts. */
import { containerSummarySchema } from "@podfleet/model/container/record";
import { newOperationId, operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import type { Connection } from "./connection.ts";
import { download } from "./download.ts";
import { upload, type UploadOptions } from "./upload.ts";

const resultSchema = z.object({
  operationId: operationIdSchema,
  container: containerSummarySchema,
});
export type SendResult = z.infer<typeof resultSchema>;

export type FileBytes = Blob | ReadableStream<Uint8Array>;

/** The bytes of what they name come at the pace at which they are read; a stream that breaks off rejects the read. */
export interface ContainerFiles {
  /** Its root filesystem as a tar archive. */
  export(signal?: AbortSignal): AsyncGenerator<Uint8Array, void>;
  /**
   * What is at an absolute path in it as a tar archive, whose entries begin with the path's last part; for a path that ends with
   * `/.`, and for the root, with `.`. Rejects with PATH_NOT_FOUND.
   */
  read(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void>;
  /** Unpacks a tar archive, plain or compressed, in a directory of it. */
  write(path: string, archive: FileBytes, options?: UploadOptions): Promise<SendResult>;
  /** Rejects with ARTIFACT_NOT_FOUND. */
  readArtifact(name: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void>;
  /** Takes the place of an artifact of that name. */
  writeArtifact(name: string, bytes: FileBytes, options?: UploadOptions): Promise<SendResult>;
}

export function containerFiles(connection: Connection, container: string): ContainerFiles {
  const base = `/containers/${encodeURIComponent(container)}`;
  const artifact = (name: string): string => `${base}/artifacts/${encodeURIComponent(name)}`;
  const send = async (path: string, archive: FileBytes, options: SendOptions = {}) => {
    const { query = {}, ...rest } = options;
    const url = new URL(`${connection.url}${path}`);
    const parameters = { operationId: newOperationId(), ...query };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return await upload(connection, {
      ...{ url, archive, method: "PUT", answer: resultSchema },
      ...rest,
    });
  };
  return {
    export: (signal) => download(connection, { path: `${base}/export`, signal }),
    read: (path, signal) =>
      download(connection, { path: `${base}/archive`, query: { path }, signal }),
    write: async (path, archive, options) =>
      await send(`${base}/archive`, archive, { ...options, query: { path } }),
    readArtifact: (name, signal) => download(connection, { path: artifact(name), signal }),
    writeArtifact: async (name, bytes, options) => await send(artifact(name), bytes, options),
  };
}

interface SendOptions extends UploadOptions {
  readonly query?: Readonly<Record<string, string>>;
}

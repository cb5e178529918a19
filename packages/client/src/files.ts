/** Upload and download of a container's files: its root filesystem, parts of it, and artifacts. */
import { newOperationId } from "@podfleet/model/ids";

import type { Connection } from "./connection.ts";
import { download } from "./download.ts";
import { type ContainerResult, containerResultSchema, upload } from "./upload.ts";
import type { UploadOptions } from "./upload.ts";

export type FileBytes = Blob | ReadableStream<Uint8Array>;

/** Downloads are streamed at the pace of the reader. A download that breaks off rejects the read. */
export interface ContainerFiles {
  /** Downloads the root filesystem as a tar archive. */
  export(signal?: AbortSignal): AsyncGenerator<Uint8Array, void>;
  /**
   * Downloads the file or directory at an absolute path as a tar archive. Entries begin with the last part of the path, or with `.` for
   * the root and for a path that ends with `/.`. Rejects with PATH_NOT_FOUND.
   */
  read(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void>;
  /** Unpacks a tar archive, plain or compressed, in a directory of the container. */
  write(path: string, archive: FileBytes, options?: UploadOptions): Promise<ContainerResult>;
  /** Downloads an artifact. Rejects with ARTIFACT_NOT_FOUND. */
  readArtifact(name: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, void>;
  /** Uploads an artifact, replacing one of the same name. */
  writeArtifact(name: string, bytes: FileBytes, options?: UploadOptions): Promise<ContainerResult>;
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
      ...{ url, archive, method: "PUT", answer: containerResultSchema },
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

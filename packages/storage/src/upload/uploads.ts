/** Archives that are being uploaded: files that grow chunk by chunk, named by their upload's id. They outlive the agent. */
import { mkdir, open, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";

import { attemptAll } from "@podfleet/base/attempt-all";
import type { Clock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";
import { type OperationId, operationIdSchema } from "@podfleet/model/ids";
import pLimit from "p-limit";

import { storing } from "../file/storage-failure.ts";

/** Time without a chunk after which an upload is dropped. */
export const uploadSilenceMaxMs = 10 * 60_000;
const uploadsMax = 16;

export class Uploads {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #appends = pLimit(1);

  private constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  static async open(directory: string, clock: Clock): Promise<Uploads> {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const uploads = new Uploads(directory, clock);
    await uploads.dropStale();
    return uploads;
  }

  path(uploadId: OperationId): string {
    return join(this.#directory, uploadId);
  }

  /** Returns the number of bytes held of the upload; 0 for an unknown one. */
  async length(uploadId: OperationId): Promise<number> {
    try {
      return (await stat(this.path(uploadId))).size;
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return 0;
      throw error;
    }
  }

  /**
   * Appends `bytes` when `offset` is the length held so far, and returns the length then. A chunk that is held already, or comes too
   * early, changes nothing; the sender goes on from the returned length.
   * @throws PodfleetError STORAGE_FAILED
   */
  async append(
    uploadId: OperationId,
    offset: number,
    bytes: Uint8Array,
  ): Promise<{ length: number }> {
    return await this.#appends(async () => {
      return await storing("store a chunk of an archive", async () => {
        const length = await this.length(uploadId);
        if (offset !== length) return { length };
        if (length === 0) await this.#assertRoom(uploadId);
        const file = await open(this.path(uploadId), "a", 0o600);
        try {
          await file.appendFile(bytes);
        } finally {
          await file.close();
        }
        return { length: length + bytes.length };
      });
    });
  }

  async drop(uploadId: OperationId): Promise<void> {
    await rm(this.path(uploadId), { force: true });
  }

  /**
   * Drops uploads that have had no chunk for `uploadSilenceMaxMs`.
   * @param onForeign told the path of what is in the directory and no upload
   */
  async dropStale(onForeign?: (path: string) => void): Promise<void> {
    const names = await readdir(this.#directory);
    await attemptAll(
      names,
      async (name) => {
        const path = join(this.#directory, name);
        if (operationIdSchema.safeParse(name).success) await this.#dropIfStale(path);
        else onForeign?.(path);
      },
      1,
    );
  }

  async #assertRoom(uploadId: OperationId): Promise<void> {
    const names = await readdir(this.#directory);
    if (names.includes(uploadId) || names.length < uploadsMax) return;
    throw new PodfleetError(
      "UNAVAILABLE",
      `Cannot begin another upload: the host has ${uploadsMax}, which is the most at once`,
    );
  }

  async #dropIfStale(path: string): Promise<void> {
    const stats = await stat(path).catch((error: unknown) => {
      if (!hasErrno(error, "ENOENT")) throw error;
    });
    const isStale = stats && this.#clock.nowMs() - stats.mtimeMs > uploadSilenceMaxMs;
    if (isStale) await rm(path, { force: true });
  }
}

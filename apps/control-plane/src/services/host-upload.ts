/** Uploads of an archive to hosts. A chunk is sent again until the agent has it; uploads outlive the agent. */
import { backoffMs } from "@podfleet/base/backoff";
import { pause } from "@podfleet/base/pause";
import type { HostLiveness } from "@podfleet/db/hosts";
import { isUnreachable, PodfleetError } from "@podfleet/model/errors";
import { hostSilenceMaxMs } from "@podfleet/model/host";
import type { OperationId } from "@podfleet/model/ids";

import { chunksOf } from "./archive-chunks.ts";
import type { DriveLease } from "./drive-lease.ts";
import { cancelled, type Fleet } from "./fleet.ts";
import type { WatchedHost } from "./host-watch.ts";
import { isSilent, unreachable } from "./unreachable.ts";

const chunkTimeoutMs = 30_000;
const retryDelay = { minMs: 100, maxMs: 1_000 };

export class HostUpload {
  readonly host: HostLiveness;
  readonly #fleet: Fleet;
  readonly #uploadId: OperationId;
  #watched: WatchedHost;
  /** Bytes that the agent holds. */
  #held = 0;
  #error: PodfleetError | undefined;

  constructor(fleet: Fleet, host: HostLiveness, uploadId: OperationId) {
    this.#fleet = fleet;
    this.host = host;
    this.#uploadId = uploadId;
    this.#watched = host;
  }

  /** The failure that ended the upload. */
  get error(): PodfleetError | undefined {
    return this.#error;
  }

  /** Resolves when the agent has the bytes or the upload has failed; then `error` says why. */
  async send(offset: number, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const end = offset + bytes.length;
    let failingSinceMs: number | undefined;
    try {
      for (let attempt = 0; this.#held < end; attempt += 1) {
        const from = Math.max(offset, this.#held);
        const length = await this.#sendOnce(from, bytes.subarray(from - offset), signal);
        if (length !== undefined && length < from) throw lost(this.host);
        if (length !== undefined) this.#held = length;
        if (length !== undefined) continue;
        failingSinceMs ??= Date.now();
        const isOver = signal.aborted || Date.now() - failingSinceMs > hostSilenceMaxMs;
        if (isOver) throw unreachable(this.host);
        await pause(backoffMs(attempt, retryDelay), signal);
      }
    } catch (error) {
      if (!(error instanceof PodfleetError)) throw error;
      this.#error = error;
    }
  }

  /** @returns the bytes that the agent holds afterwards; undefined when the chunk may be sent again */
  async #sendOnce(
    offset: number,
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    try {
      const sent = await this.#fleet.watch.during(this.#watched, signal, async (watched) => {
        const chunk = { uploadId: this.#uploadId, offset, bytes };
        const limits = { timeoutMs: chunkTimeoutMs, signal: watched };
        return await this.#fleet.hosts.sendUploadChunk(this.host.id, chunk, limits);
      });
      if (sent.type === "done") return sent.value.length;
      if (sent.type === "silent") throw unreachable(this.host);
      this.#watched = sent.host;
      return undefined;
    } catch (error) {
      if (isUnreachable(error) && !isSilent(error)) return undefined;
      throw error;
    }
  }
}

/**
 * Sends an archive to several hosts at once, at the pace of the slowest. A host that fails is left out from then on; its upload's
 * `error` says why. Stops early when all have failed.
 * @returns the archive's size in bytes
 * @throws PodfleetError CANCELLED when `signal` is aborted; what reading the archive throws
 */
export async function sendArchive(
  uploads: readonly HostUpload[],
  archive: AsyncIterable<Uint8Array>,
  { signal, lease }: { readonly signal: AbortSignal; readonly lease?: DriveLease },
): Promise<number> {
  let sizeBytes = 0;
  for await (const chunk of chunksOf(archive)) {
    const offset = sizeBytes;
    const open = uploads.filter(({ error }) => !error);
    await Promise.all(open.map(async (upload) => await upload.send(offset, chunk, signal)));
    if (signal.aborted) throw cancelled(signal.reason);
    sizeBytes += chunk.length;
    if (uploads.every(({ error }) => error)) break;
    await lease?.keep();
  }
  return sizeBytes;
}

function lost({ name }: HostLiveness): PodfleetError {
  return new PodfleetError(
    "STORAGE_FAILED",
    `Cannot load the archive on host "${name}": the host has dropped what was uploaded before`,
    { details: { host: name } },
  );
}

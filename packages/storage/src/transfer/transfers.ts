/**
 * Streams of bytes that a client reads out of the engine piece by piece, at its own pace. Reads are sequential; the last one can be
 * repeated when its answer was lost. A transfer that nobody reads is dropped after a while, and all end with the engine.
 */
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";

import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";
import { type TransferId, transferIdSchema, transferSilenceMaxMs } from "@podfleet/model/transfer";

import { PieceReader, type TransferPiece, type TransferRead } from "./piece-reader.ts";

/** The source of a transfer's bytes. */
export interface TransferSource {
  /** Opens the stream; called once. When it rejects, it leaves nothing behind. */
  open(): Promise<Readable>;
  /** Undoes what `open` did; called once, after the stream is destroyed, whether or not it was read to its end. */
  close(): Promise<void>;
}

export interface TransfersOptions {
  readonly clock: Clock;
  /** Called when a source could not be closed. */
  readonly onFailure: (error: unknown) => void;
  readonly silenceMaxMs?: number;
}

/** The most transfers open at once: each may hold a mount, a process or a file. */
const transfersMax = 16;

interface Transfer {
  readonly source: TransferSource;
  readonly stream: Readable;
  readonly reader: PieceReader;
  readonly silence: NodeJS.Timeout;
}

export class Transfers {
  readonly #options: TransfersOptions;
  readonly #transfers = new Map<TransferId, Transfer>();
  readonly #ending = new Set<Promise<void>>();
  #openingCount = 0;
  #closed = false;

  constructor(options: TransfersOptions) {
    this.#options = options;
  }

  /**
   * Opens a transfer.
   * @throws PodfleetError what the source's `open` throws; UNAVAILABLE when too many are open
   */
  async open(source: TransferSource): Promise<TransferId> {
    if (this.#closed || this.#transfers.size + this.#openingCount >= transfersMax) {
      throw new PodfleetError(
        "UNAVAILABLE",
        `Cannot open a transfer: the host has ${transfersMax} open, which is the most at once`,
      );
    }
    this.#openingCount += 1;
    try {
      const stream = await source.open();
      const id = transferIdSchema.parse(randomUUID());
      const { clock, silenceMaxMs = transferSilenceMaxMs } = this.#options;
      this.#transfers.set(id, {
        source,
        stream,
        reader: new PieceReader(stream, clock),
        silence: setTimeout(() => void this.#end(id), silenceMaxMs).unref(),
      });
      if (this.#closed) await this.#end(id);
      return id;
    } finally {
      this.#openingCount -= 1;
    }
  }

  /**
   * Reads the next bytes; none, and not `ended`, when the source has yielded none for some seconds or `signal` is aborted.
   * @throws PodfleetError TRANSFER_NOT_FOUND; INVALID_INPUT for an offset out of sequence; the source's failure
   */
  async read(id: TransferId, range: TransferRead, signal: AbortSignal): Promise<TransferPiece> {
    const transfer = this.#transfers.get(id);
    if (!transfer) throw notFound(id);
    transfer.silence.refresh();
    try {
      return await transfer.reader.read(range, signal);
    } finally {
      // Refreshing a cleared timer would arm it again.
      if (this.#transfers.has(id)) transfer.silence.refresh();
    }
  }

  /** Closes the transfer and its source; does nothing when it is not open. */
  async close(id: TransferId): Promise<void> {
    await this.#end(id);
  }

  async closeAll(): Promise<void> {
    this.#closed = true;
    for (const id of this.#transfers.keys()) void this.#end(id);
    await Promise.all(this.#ending);
  }

  #end(id: TransferId): Promise<void> {
    const transfer = this.#transfers.get(id);
    if (!transfer) return Promise.resolve();
    this.#transfers.delete(id);
    clearTimeout(transfer.silence);
    transfer.stream.destroy();
    const ending = transfer.source
      .close()
      .catch(this.#options.onFailure)
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    return ending;
  }
}

function notFound(id: TransferId): PodfleetError {
  return new PodfleetError(
    "TRANSFER_NOT_FOUND",
    `Cannot read transfer "${id}": it is not open; a transfer that is not read for a while is dropped`,
    { details: { transferId: id } },
  );
}

/**
 * Streams of bytes that someone outside pulls out of the engine piece by piece. The puller's pace is the source's. Reads
 * are sequential, and the last one can be repeated, so an answer that was lost loses nothing. Whoever stops reading is
 * forgotten after a while. Transfers end with the engine.
 */
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";

import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";
import { type TransferId, transferIdSchema, transferSilenceMaxMs } from "@podfleet/model/transfer";

import { PieceReader } from "./piece-reader.ts";

/** Where the bytes come from. */
export interface TransferSource {
  /** Called once; when it rejects, it leaves nothing behind. */
  open(): Promise<Readable>;
  /** Undoes what `open` did; called once, after the stream is destroyed, whether or not it was read to its end. */
  close(): Promise<void>;
}

export interface TransferRead {
  /** The `next` of the read before; that read's own `offset` repeats it. */
  readonly offset: number;
  readonly bytesMax: number;
}

export interface TransferPiece {
  readonly bytes: Uint8Array;
  readonly next: number;
  /** `next` is the end of the stream. */
  readonly ended: boolean;
}

export interface TransfersOptions {
  readonly clock: Clock;
  /** Told of a source that could not be closed. */
  readonly onFailure: (error: unknown) => void;
  readonly silenceMaxMs?: number;
}

/** Open at once; a source may hold a mount, a process or a file of its own. */
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

  /** @throws PodfleetError what the source's `open` throws; UNAVAILABLE when too many are open */
  async open(source: TransferSource): Promise<TransferId> {
    if (this.#closed || this.#transfers.size + this.#openingCount >= transfersMax) {
      throw new PodfleetError(
        "UNAVAILABLE",
        `Cannot send a stream: at most ${transfersMax} are sent by the host at once`,
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
   * The next bytes; none and not `ended` when the source has had nothing to give for some seconds, or `signal` is aborted.
   * @throws PodfleetError TRANSFER_NOT_FOUND; INVALID_INPUT for an offset out of sequence; why the source has failed
   */
  async read(id: TransferId, range: TransferRead, signal: AbortSignal): Promise<TransferPiece> {
    const transfer = this.#transfers.get(id);
    if (!transfer) throw notFound(id);
    transfer.silence.refresh();
    try {
      return await transfer.reader.read(range, signal);
    } finally {
      // It would arm a cleared timer again.
      if (this.#transfers.has(id)) transfer.silence.refresh();
    }
  }

  /** Resolves when what the source has done is undone. Harmless when it is not open, or no longer. */
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
    `Cannot read transfer "${id}": it is not open, or was dropped because nobody read it`,
    { details: { transferId: id } },
  );
}

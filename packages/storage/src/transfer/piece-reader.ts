import type { Readable } from "node:stream";

import type { Clock } from "@podfleet/base/clock";
import { PodfleetError } from "@podfleet/model/errors";

import { storing } from "../file/storage-failure.ts";

export interface TransferRead {
  /** The `next` of the read before, or that read's own `offset` to repeat it. */
  readonly offset: number;
  readonly bytesMax: number;
}

export interface TransferPiece {
  readonly bytes: Uint8Array;
  readonly next: number;
  /** Whether `next` is the end of the stream. */
  readonly ended: boolean;
}

/** The longest wait of a read for the first bytes. */
const patienceMs = 10_000;
/** The longest wait of a read for more bytes: sources yield smaller parts than a piece can hold. */
const gatherMs = 20;

/** Reads a stream piece by piece, and keeps the last piece for a repeated read. */
export class PieceReader {
  readonly #parts: AsyncIterator<Uint8Array>;
  readonly #clock: Clock;
  /** The part that the stream has been asked for; it outlives a read that stopped waiting for it. */
  #asked: Promise<IteratorResult<Uint8Array>> | undefined;
  /** The rest of the last part. */
  #rest: Uint8Array = new Uint8Array();
  #last = { offset: 0, piece: { bytes: new Uint8Array(), next: 0, ended: false } as TransferPiece };
  #reading: { readonly offset: number; readonly piece: Promise<TransferPiece> } | undefined;

  constructor(stream: Readable, clock: Clock) {
    this.#parts = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    this.#clock = clock;
  }

  /** See `Transfers.read`. */
  async read(range: TransferRead, signal: AbortSignal): Promise<TransferPiece> {
    const { offset } = range;
    if (this.#reading?.offset === offset) return await this.#reading.piece;
    const { piece: last, offset: lastOffset } = this.#last;
    if (offset === lastOffset && last.next > offset) return last;
    if (this.#reading || offset !== last.next) throw outOfSequence(offset, last.next);
    const piece = this.#take(range, signal);
    this.#reading = { offset, piece };
    try {
      this.#last = { offset, piece: await piece };
      return this.#last.piece;
    } finally {
      this.#reading = undefined;
    }
  }

  async #take({ offset, bytesMax }: TransferRead, signal: AbortSignal): Promise<TransferPiece> {
    const taken: Uint8Array[] = [];
    let next = offset;
    let ended = false;
    for (let room = bytesMax; room > 0; room = bytesMax - (next - offset)) {
      if (this.#rest.length === 0) {
        const part = await this.#nextPart(next === offset ? patienceMs : gatherMs, signal);
        if (part === "none") break;
        if (part.done === true) {
          ended = true;
          break;
        }
        this.#rest = part.value;
      }
      const bytes = this.#rest.subarray(0, room);
      this.#rest = this.#rest.subarray(bytes.length);
      taken.push(bytes);
      next += bytes.length;
    }
    return { bytes: Buffer.concat(taken), next, ended };
  }

  /** Waits for the next part; `none` after `waitMs`, and the next call goes on waiting for the same part. */
  async #nextPart(
    waitMs: number,
    signal: AbortSignal,
  ): Promise<IteratorResult<Uint8Array> | "none"> {
    this.#asked ??= this.#parts.next();
    // Safe to ignore: this read or the next one awaits it, and rejects.
    this.#asked.catch(() => undefined);
    const timer = new AbortController();
    const expiry = this.#clock
      .sleep(waitMs, AbortSignal.any([signal, timer.signal]))
      .then(() => "none" as const)
      // Safe to ignore: the sleep rejects only because it is ended.
      .catch(() => "none" as const);
    const asked = this.#asked;
    const part = await storing("read the transfer's source", async () => {
      return await Promise.race([asked, expiry]);
    });
    timer.abort();
    if (part !== "none" && part.done !== true) this.#asked = undefined;
    return part;
  }
}

function outOfSequence(offset: number, next: number): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot read from offset ${offset}: the transfer is at ${next}, must be that or the offset of the last read`,
    { details: { field: "offset", offset, next } },
  );
}

/** Reads a journal by offset while a monitor appends to it, as `tail -f` does, without polling. */
import { type FSWatcher, watch } from "node:fs";
import type { FileHandle } from "node:fs/promises";

import { hasErrno } from "@podfleet/base/errno";
import { wholeRecordsLength } from "@podfleet/base/journal-record";
import { PodfleetError } from "@podfleet/model/errors";

import { openJournal } from "./locate.ts";
import { NEWLINE } from "./whole-length.ts";

export interface JournalReadOptions {
  /** A record boundary: 0, a located offset, or the `next` of an earlier read. A part that is not kept any more is skipped. */
  readonly offset: number;
  /** Returns the offset at which the kept part of the journal begins. */
  readonly keptFrom: () => number;
  /** At least one record's length, 16 KiB. */
  readonly bytesMax: number;
  /** The longest wait for output, when there is none after `offset` and the journal may still grow. */
  readonly waitMs: number;
  /** Tells whether a run is under way, or may come, that could add to the journal. */
  readonly mayGrow: () => boolean;
  /** Calls the listener when `mayGrow` may have changed, until the returned function is called. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The file holds bytes without records, so that any offset is allowed. */
  readonly isPlain?: boolean | undefined;
}

export interface JournalPiece {
  /** Whole records as they are in the file. */
  readonly bytes: Uint8Array;
  /** Offset at which they begin: later than asked for when the part before is not kept any more. */
  readonly offset: number;
  /** Offset at which the next read begins. */
  readonly next: number;
  /** `next` is the end, and no run can add to it. */
  readonly ended: boolean;
}

/**
 * Reads the records from `offset` on, as many as fit. An empty piece that has not ended means that the wait has run out, or that `signal`
 * was aborted.
 * @throws PodfleetError INVALID_INPUT when `offset` is not a record boundary
 */
export async function readJournal(
  path: string,
  options: JournalReadOptions,
  signal?: AbortSignal,
): Promise<JournalPiece> {
  const piece = await readPiece(path, options);
  if (piece.bytes.length > 0 || piece.ended || options.waitMs === 0) return piece;
  using changes = new Changes(path, options, signal);
  for (;;) {
    // Records that came between the first read and the watch cause no notice.
    const later = await readPiece(path, options);
    if (later.bytes.length > 0 || later.ended || changes.over) return later;
    await changes.next();
  }
}

async function readPiece(path: string, options: JournalReadOptions): Promise<JournalPiece> {
  // Evaluated before the read, so that a run that ends in between is read to its end.
  const mayGrow = options.mayGrow();
  const file = await openJournal(path);
  try {
    for (;;) {
      const offset = Math.max(options.offset, options.keptFrom());
      if (!file) return { bytes: new Uint8Array(), offset, next: offset, ended: !mayGrow };
      const { bytes, reachedEnd } = await readRecords(file, { ...options, offset });
      // Retention may have given up what was read.
      if (offset < options.keptFrom()) continue;
      return { bytes, offset, next: offset + bytes.length, ended: reachedEnd && !mayGrow };
    }
  } finally {
    await file?.close();
  }
}

async function readRecords(
  file: FileHandle,
  { offset, bytesMax, keptFrom, isPlain = false }: JournalReadOptions,
): Promise<{ bytes: Uint8Array; reachedEnd: boolean }> {
  // The byte before must be the newline that ends a record.
  const before = isPlain || offset === keptFrom() ? 0 : Math.min(offset, 1);
  const buffer = Buffer.allocUnsafe(before + bytesMax);
  const { bytesRead } = await file.read(buffer, 0, buffer.length, offset - before);
  if (before === 1 && (bytesRead === 0 || buffer[0] !== NEWLINE)) throw notABoundary(offset);
  const bytes = buffer.subarray(before, bytesRead);
  return {
    bytes: isPlain ? bytes : bytes.subarray(0, wholeRecordsLength(bytes)),
    reachedEnd: bytesRead < buffer.length,
  };
}

function notABoundary(offset: number): PodfleetError {
  return new PodfleetError(
    "INVALID_INPUT",
    `Cannot read the journal from offset ${offset}: must be 0, a located offset or the "next" of a read`,
    { details: { field: "offset", offset } },
  );
}

/** Wakes a waiting reader on a change of the file, on a change of `mayGrow`, and at the end of the wait. */
class Changes implements Disposable {
  /** True when the wait has run out or was cancelled. */
  over = false;
  #change = Promise.withResolvers<void>();
  readonly #stop = new DisposableStack();

  constructor(path: string, options: JournalReadOptions, signal: AbortSignal | undefined) {
    const notify = (): void => this.#change.resolve();
    const finish = (): void => {
      this.over = true;
      notify();
    };
    const timer = setTimeout(finish, options.waitMs);
    this.#stop.defer(() => clearTimeout(timer));
    this.#stop.defer(options.subscribe(notify));
    const watcher = watchFile(path, notify);
    this.#stop.defer(() => watcher?.close());
    signal?.addEventListener("abort", finish);
    this.#stop.defer(() => signal?.removeEventListener("abort", finish));
    if (signal?.aborted) finish();
  }

  /** Resolves at the first change since it last resolved. */
  async next(): Promise<void> {
    await this.#change.promise;
    this.#change = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    this.#stop.dispose();
  }
}

/** Watches the file; undefined while no run has made it, which `subscribe` tells. */
function watchFile(path: string, listener: () => void): FSWatcher | undefined {
  try {
    return watch(path, listener);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

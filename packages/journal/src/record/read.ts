/** Reading a journal by offset while a monitor appends to it, as `tail -f` does, without polling. */
import { type FSWatcher, watch } from "node:fs";
import type { FileHandle } from "node:fs/promises";

import { hasErrno } from "@podfleet/base/errno";
import { wholeRecordsLength } from "@podfleet/base/journal-record";
import { PodfleetError } from "@podfleet/model/errors";

import { openJournal } from "./locate.ts";

export interface JournalReadOptions {
  /** A record boundary: 0, a located offset, or the `next` of an earlier read. What is not kept any more is skipped. */
  readonly offset: number;
  /** Where what is kept begins. */
  readonly keptFrom: () => number;
  /** At least one record's length, 16 KiB. */
  readonly bytesMax: number;
  /** How long to wait for output when there is none after `offset` and the journal may still grow. */
  readonly waitMs: number;
  /** Whether a run is under way, or may come, that could add to the journal. */
  readonly mayGrow: () => boolean;
  /** Calls the listener when `mayGrow` may have changed; returns what ends that. */
  readonly subscribe: (listener: () => void) => () => void;
  /** The file is no journal, but bytes without records: each offset will do. */
  readonly isPlain?: boolean | undefined;
}

export interface JournalPiece {
  /** Whole records as they are in the file. */
  readonly bytes: Uint8Array;
  /** Where they begin: later than asked for when what comes before is not kept any more. */
  readonly offset: number;
  /** Where the next read begins. */
  readonly next: number;
  /** `next` is the end, and nothing can add to it. */
  readonly ended: boolean;
}

/**
 * The records from `offset` on, as many as fit. Empty and not ended means that the wait ran out, or `signal` was aborted.
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
    // Nobody is woken by what came between the first look and the watch.
    const later = await readPiece(path, options);
    if (later.bytes.length > 0 || later.ended || changes.over) return later;
    await changes.next();
  }
}

const NEWLINE = 0x0a;

async function readPiece(path: string, options: JournalReadOptions): Promise<JournalPiece> {
  // Asked before the file is read: what a run adds until it ends is read then.
  const mayGrow = options.mayGrow();
  const file = await openJournal(path);
  try {
    for (;;) {
      const offset = Math.max(options.offset, options.keptFrom());
      if (!file) return { bytes: new Uint8Array(), offset, next: offset, ended: !mayGrow };
      const { bytes, reachedEnd } = await readRecords(file, { ...options, offset });
      // What was read may have been given up meanwhile.
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
  // With the byte before, which has to be the newline that ends a record.
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

/** Tells a waiting reader to look again: on a change of the file, on one of `mayGrow`, and when the wait is over. */
class Changes implements Disposable {
  /** The wait has run out, or was cancelled. */
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

  /** Resolves when something has changed since it resolved last. */
  async next(): Promise<void> {
    await this.#change.promise;
    this.#change = Promise.withResolvers();
  }

  [Symbol.dispose](): void {
    this.#stop.dispose();
  }
}

/** undefined when there is no journal yet: the run that makes it is announced by `subscribe`. */
function watchFile(path: string, listener: () => void): FSWatcher | undefined {
  try {
    return watch(path, listener);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

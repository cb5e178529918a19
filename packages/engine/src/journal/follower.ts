/**
 * A journal as it grows, decoded: what `tail -f` is for files. It holds the file open and is told of changes by the kernel; it
 * never waits itself.
 */
import { closeSync, type FSWatcher, openSync, readSync, watch } from "node:fs";

import { hasErrno } from "@podfleet/base/errno";

import { compactRecords, type OutputPiece } from "./compact.ts";

export interface FollowerOptions {
  /** A record boundary. */
  readonly offset: number;
  /** See `OutputPiece`. */
  readonly headroom: number;
  /** There may be more to read. */
  readonly onGrowth: () => void;
}

/** Of journal, read at once. */
const readBytesMax = 256 * 1024;

export class JournalFollower {
  readonly #path: string;
  readonly #options: FollowerOptions;
  #file: number | undefined;
  #watcher: FSWatcher | undefined;
  #offset: number;

  constructor(path: string, options: FollowerOptions) {
    this.#path = path;
    this.#options = options;
    this.#offset = options.offset;
  }

  /** Where the next read begins. */
  get offset(): number {
    return this.#offset;
  }

  /** Whole records after those read before, none of which reaches beyond offset `limit`; none when there are none. */
  read(limit: number): OutputPiece[] {
    const length = Math.min(readBytesMax, limit - this.#offset);
    const file = length > 0 ? this.#open() : undefined;
    if (file === undefined) return [];
    const { headroom } = this.#options;
    const buffer = Buffer.allocUnsafeSlow(headroom + length);
    const bytesRead = readSync(file, buffer, headroom, length, this.#offset);
    if (bytesRead === 0) return [];
    const pieces = compactRecords(buffer.subarray(0, headroom + bytesRead), {
      headroom,
      offset: this.#offset,
    });
    this.#offset = pieces.at(-1)?.next ?? this.#offset;
    return pieces;
  }

  close(): void {
    this.#watcher?.close();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Undefined while there is no journal: the run that makes it has yet to begin. */
  #open(): number | undefined {
    if (this.#file !== undefined) return this.#file;
    try {
      this.#file = openSync(this.#path, "r");
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw error;
    }
    this.#watcher = watch(this.#path, () => this.#options.onGrowth());
    return this.#file;
  }
}

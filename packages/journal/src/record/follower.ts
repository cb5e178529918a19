/**
 * Follows a journal as it grows, as `tail -f` follows a file, and decodes it. The file is watched only while the follower is at its end:
 * before that, each write of the command would cause a notice that tells nothing new.
 *
 * Output that was just written is in the page cache, so a follower that has kept up reads synchronously. One that is behind reads by
 * another thread, since it may have to wait for the disk.
 */
import { closeSync, existsSync, type FSWatcher, openSync, read, readSync, watch } from "node:fs";

import { hasErrno } from "@podfleet/base/errno";

import { compactRecords, type OutputPiece } from "./compact.ts";
import { ReadBuffers } from "./read-buffers.ts";

export interface FollowerOptions {
  /** A record boundary. */
  readonly offset: number;
  /** See `OutputPiece`. */
  readonly headroom: number;
  /** Returns the offset at which the kept part of the journal begins. */
  readonly keptFrom: () => number;
  /** Called when there may be more to read. */
  readonly onGrowth: () => void;
}

/** A part of the journal that is not kept any more. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** The most that is read at once by another thread, and synchronously. */
const readBytesMax = 256 * 1024;
const readSoonBytesMax = 64 * 1024;
const headroomMax = 64;

const buffers = new ReadBuffers(headroomMax + readBytesMax);

export class JournalFollower {
  readonly #path: string;
  readonly #options: FollowerOptions;
  #file: number | undefined;
  #watcher: FSWatcher | undefined;
  #offset: number;
  #isBehind = false;
  /** The read of another thread, for which the file must stay open. */
  #reading: Promise<unknown> | undefined;

  constructor(path: string, options: FollowerOptions) {
    this.#path = path;
    this.#options = options;
    this.#offset = options.offset;
  }

  /** The offset at which the next read begins. */
  get offset(): number {
    return this.#offset;
  }

  /** True when the last read did not reach the end: the next one should be `readBehind`. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /**
   * Skips and returns the next part of the journal when it is not kept any more. Reads return nothing before that.
   * @param end offset at which the output ends, when it has ended
   */
  takeGap(end: number | undefined): Gap | undefined {
    const keptFrom = this.#options.keptFrom();
    const isGone = end !== undefined && this.#file === undefined && !existsSync(this.#path);
    const to = isGone ? end : Math.min(keptFrom, end ?? keptFrom);
    if (this.#offset >= to) return undefined;
    const from = this.#offset;
    this.#offset = to;
    return { from, to };
  }

  /**
   * Reads the next whole records, up to offset `limit`; returns none when there are none. Their bytes are valid until the next turn of the
   * event loop.
   */
  readSoon(limit: number): OutputPiece[] {
    const length = Math.min(readSoonBytesMax, limit - this.#offset);
    this.#isBehind &&= length > 0;
    const file = length > 0 ? this.#open() : undefined;
    if (file === undefined || this.#isInGap()) return [];
    const buffer = buffers.take();
    try {
      const bytesRead = readSync(file, buffer, this.#options.headroom, length, this.#offset);
      this.#isBehind = bytesRead === readSoonBytesMax;
      this.#setAtEnd(bytesRead < length);
      return this.#decode(buffer, bytesRead);
    } finally {
      buffers.giveBack(buffer);
    }
  }

  /** Reads more at once than `readSoon`, by another thread. `limit` is evaluated again after the read. */
  async readBehind(limit: () => number): Promise<OutputPiece[]> {
    const length = Math.min(readBytesMax, limit() - this.#offset);
    this.#isBehind &&= length > 0;
    const file = length > 0 ? this.#open() : undefined;
    if (file === undefined || this.#isInGap()) return [];
    const buffer = buffers.take();
    try {
      const { headroom: start } = this.#options;
      const reading = readAsync(file, buffer, { start, length, offset: this.#offset });
      this.#reading = reading;
      const bytesRead = await reading;
      this.#reading = undefined;
      // The follower may have been closed, or retention may have given up what was read.
      if (this.#file === undefined || this.#isInGap()) return [];
      this.#isBehind = bytesRead === readBytesMax;
      this.#setAtEnd(bytesRead < length);
      return this.#decode(buffer, Math.min(bytesRead, limit() - this.#offset));
    } finally {
      buffers.giveBack(buffer);
    }
  }

  close(): void {
    this.#watcher?.close();
    const file = this.#file;
    this.#file = undefined;
    if (file === undefined) return;
    if (this.#reading) void this.#reading.finally(() => closeSync(file));
    else closeSync(file);
  }

  #isInGap(): boolean {
    return this.#offset < this.#options.keptFrom();
  }

  /** Decodes the bytes of the journal that are in `buffer` after the headroom. */
  #decode(buffer: Buffer, bytesRead: number): OutputPiece[] {
    if (bytesRead === 0) return [];
    const { headroom } = this.#options;
    const read = buffer.subarray(0, headroom + bytesRead);
    const pieces = compactRecords(read, { headroom, offset: this.#offset });
    this.#offset = pieces.at(-1)?.next ?? this.#offset;
    return pieces;
  }

  /** Opens the journal; undefined while no run has made it. */
  #open(): number | undefined {
    if (this.#file !== undefined) return this.#file;
    try {
      this.#file = openSync(this.#path, "r");
    } catch (error) {
      if (hasErrno(error, "ENOENT")) return undefined;
      throw error;
    }
    return this.#file;
  }

  #setAtEnd(isAtEnd: boolean): void {
    const isWatching = this.#watcher !== undefined;
    if (isAtEnd === isWatching) return;
    this.#watcher?.close();
    this.#watcher = isAtEnd ? watch(this.#path, () => this.#options.onGrowth()) : undefined;
    // It may have grown between the read and the watch.
    if (isAtEnd) setImmediate(() => this.#options.onGrowth());
  }
}

/** Reads without `FileHandle.read`, whose promises cost as much as the read. */
async function readAsync(
  file: number,
  buffer: Buffer,
  { start, length, offset }: { start: number; length: number; offset: number },
): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  read(file, buffer, start, length, offset, (error, bytesRead) => {
    if (error) reject(error);
    else resolve(bytesRead);
  });
  return await promise;
}

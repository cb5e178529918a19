/**
 * A journal as it grows, decoded: what `tail -f` is for files. It holds the file open, and is told of changes by the kernel when it has
 * come to the end: before that it would be told as often as the command writes, and know it anyway.
 *
 * What was just written is in the kernel's memory, so a reader that has kept up reads at once; one that is behind has its reads done
 * by another thread, since the disk may take its time.
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
  /** Where what is kept of the journal begins. */
  readonly keptFrom: () => number;
  /** There may be more to read. */
  readonly onGrowth: () => void;
}

/** Output that is not kept any more. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/** Of journal, read at once. */
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
  /** Goes on in another thread, which the file must stay open for. */
  #reading: Promise<unknown> | undefined;

  constructor(path: string, options: FollowerOptions) {
    this.#path = path;
    this.#options = options;
    this.#offset = options.offset;
  }

  /** Where the next read begins. */
  get offset(): number {
    return this.#offset;
  }

  /** There was more than the last read has brought: it goes on with `readBehind`. */
  get isBehind(): boolean {
    return this.#isBehind;
  }

  /**
   * Skips what is not kept any more; until then nothing after it is read.
   * @param end of the output, when it has one
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
   * Whole records after those read before, none of which reaches beyond offset `limit`; none when there are none. Their bytes are good
   * until the next turn of the event loop.
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
      return this.#take(buffer, bytesRead);
    } finally {
      buffers.giveBack(buffer);
    }
  }

  /** The same, but more at once. `limit` is asked for again when it has been read. */
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
      // It may have been closed, or what was read given up, meanwhile.
      if (this.#file === undefined || this.#isInGap()) return [];
      this.#isBehind = bytesRead === readBytesMax;
      this.#setAtEnd(bytesRead < length);
      return this.#take(buffer, Math.min(bytesRead, limit() - this.#offset));
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

  /** The output in `buffer`, where so many bytes of the journal are after the headroom. */
  #take(buffer: Buffer, bytesRead: number): OutputPiece[] {
    if (bytesRead === 0) return [];
    const { headroom } = this.#options;
    const read = buffer.subarray(0, headroom + bytesRead);
    const pieces = compactRecords(read, { headroom, offset: this.#offset });
    this.#offset = pieces.at(-1)?.next ?? this.#offset;
    return pieces;
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
    return this.#file;
  }

  #setAtEnd(isAtEnd: boolean): void {
    const isWatching = this.#watcher !== undefined;
    if (isAtEnd === isWatching) return;
    this.#watcher?.close();
    this.#watcher = isAtEnd ? watch(this.#path, () => this.#options.onGrowth()) : undefined;
    // It may have grown since it was read.
    if (isAtEnd) setImmediate(() => this.#options.onGrowth());
  }
}

/** Without the promises of `FileHandle.read`, which cost as much as reading. */
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

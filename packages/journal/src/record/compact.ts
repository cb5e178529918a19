/**
 * Decodes many journal records at once, in place: payloads are moved together over the heads of the records. A process that writes
 * lines of two bytes makes a head of 45 bytes for each, so readers spend most of their time here.
 */
import type { JournalStream } from "@podfleet/base/journal-record";

import { NEWLINE } from "./whole-length.ts";

/** Consecutive output of one stream. */
export interface OutputPiece {
  /** Offset in the journal at which its first record begins. */
  readonly offset: number;
  /** Offset in the journal at which its last record ends. */
  readonly next: number;
  readonly stream: JournalStream;
  /** The headroom that was asked for, which the owner may write to, then the output. */
  readonly bytes: Buffer;
}

export interface CompactOptions {
  /** Bytes left free before the output of each piece, at most `headBytes`. The buffer's first record begins after as many. */
  readonly headroom: number;
  /** Offset in the journal of the first record. */
  readonly offset: number;
}

/** Length of the head of conmon's records: time with nanoseconds and zone, stream, flag, and a space after each. */
export const headBytes = 45;
const afterTime = 35;
/** Position at which "stdout" and "stderr" differ. */
const streamLetter = 39;
const afterStream = 42;
const flagPosition = 43;
const SPACE = 0x20;
const FULL = 0x46;
const LOWER_O = 0x6f;
/**
 * The most output in one piece, unless one record has more. Sockets deliver 64 KiB at a time, and their readers copy larger pieces to put
 * them together.
 */
export const pieceBytesMax = 32 * 1024;
/** The longest payloads that are moved byte by byte. */
const shortBytes = 64;

/**
 * Decodes the whole records in `buffer`, which is overwritten. Consecutive records of one stream make one piece, up to `pieceBytesMax`.
 * @throws Error for bytes that are no record of conmon's
 */
export function compactRecords(
  buffer: Buffer,
  { headroom, offset }: CompactOptions,
): OutputPiece[] {
  const pieces: OutputPiece[] = [];
  const end = buffer.length;
  let position = headroom;
  let letter = 0;
  /** Positions at which the present piece begins in the buffer, and at which its first record began. */
  let pieceStart = 0;
  let pieceRecord = position;
  let target = headroom;
  const finish = (): void => {
    if (letter === 0) return;
    pieces.push({
      offset: offset + pieceRecord - headroom,
      next: offset + position - headroom,
      stream: letter === LOWER_O ? "stdout" : "stderr",
      bytes: buffer.subarray(pieceStart, target),
    });
  };
  while (position + headBytes < end) {
    const source = position + headBytes;
    if (
      buffer[position + afterTime] !== SPACE ||
      buffer[position + afterStream] !== SPACE ||
      buffer[source - 1] !== SPACE
    ) {
      throw new Error(`Malformed journal record at offset ${offset + position - headroom}`);
    }
    const newline = findNewline(buffer, source);
    if (newline < 0) break;
    const copyEnd = buffer[position + flagPosition] === FULL ? newline + 1 : newline;
    const pieceBytes = target + copyEnd - source - pieceStart - headroom;
    if (buffer[position + streamLetter] !== letter || pieceBytes > pieceBytesMax) {
      finish();
      letter = buffer[position + streamLetter] ?? 0;
      pieceRecord = position;
      pieceStart = letter === 0 || pieces.length === 0 ? 0 : target;
      target = pieceStart + headroom;
    }
    if (copyEnd - source > shortBytes) buffer.copyWithin(target, source, copyEnd);
    else
      for (let at = source; at < copyEnd; at += 1) buffer[target + at - source] = buffer[at] ?? 0;
    target += copyEnd - source;
    position = newline + 1;
  }
  finish();
  return pieces;
}

function findNewline(buffer: Buffer, from: number): number {
  const near = Math.min(buffer.length, from + shortBytes);
  for (let at = from; at < near; at += 1) if (buffer[at] === NEWLINE) return at;
  return near === buffer.length ? -1 : buffer.indexOf(NEWLINE, near);
}

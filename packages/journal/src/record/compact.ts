/**
 * Decoding many journal records at once, in place: the payloads are moved together over the records' heads. What a
 * process writes in lines of two bytes is one head of 45 bytes a line, so this is where a reader's time goes.
 */
import type { JournalStream } from "@podfleet/base/journal-record";

import { NEWLINE } from "./whole-length.ts";

/** Output of one stream without a hole. */
export interface OutputPiece {
  /** Where its first record begins in the journal. */
  readonly offset: number;
  /** Where its last one ends. */
  readonly next: number;
  readonly stream: JournalStream;
  /** As many bytes as were asked for, free to be written to, then the output. */
  readonly bytes: Buffer;
}

export interface CompactOptions {
  /** Bytes of free room before the output of each piece; at most `headBytes`. The records begin after as many. */
  readonly headroom: number;
  /** Offset in the journal of the first record. */
  readonly offset: number;
}

/** Of conmon's records: time with nanoseconds and zone, stream, flag, and the spaces after each. */
export const headBytes = 45;
const afterTime = 35;
/** "stdout" and "stderr" differ here. */
const streamLetter = 39;
const afterStream = 42;
const flagPosition = 43;
const SPACE = 0x20;
const FULL = 0x46;
const LOWER_O = 0x6f;
/**
 * Output of one piece, unless one record has more. What reads the pieces gets them from a socket in parts of 64 KiB, and copies those that
 * it has to put together.
 */
export const pieceBytesMax = 32 * 1024;
/** Payloads up to this are moved byte by byte while their end is looked for. */
const shortBytes = 64;

/**
 * The output of the whole records in `buffer`, which it overwrites; neighbours of one stream are one piece, up to `pieceBytesMax`.
 * @throws Error for what is not a record of conmon's
 */
export function compactRecords(
  buffer: Buffer,
  { headroom, offset }: CompactOptions,
): OutputPiece[] {
  const pieces: OutputPiece[] = [];
  const end = buffer.length;
  let position = headroom;
  let letter = 0;
  /** Of the piece under way: where its room begins, and where its first record did. */
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

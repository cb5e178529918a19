/** Finding where in a journal a reader begins. Both searches read only a small part of a long journal. */
import { type FileHandle, open } from "node:fs/promises";

import { hasErrno } from "@podfleet/base/errno";
import { invariant } from "@podfleet/base/invariant";
import {
  type JournalRecord,
  type JournalStream,
  parseJournal,
} from "@podfleet/base/journal-record";

import { timestampNs } from "./timestamp.ts";

export interface JournalPosition {
  /** Begin with the last so many lines. */
  readonly tail?: number | undefined;
  /** Begin with the first record written at or after this RFC 3339 time. */
  readonly since?: string | undefined;
  /** Where what is kept begins; 0 when absent. */
  readonly keptFrom?: number | undefined;
}

/** Longer than any record. */
const recordBytesMax = 16 * 1024;
const windowBytes = 256 * 1024;
const NEWLINE = 0x0a;

/**
 * Offset of the first record that `position` asks for: the later one when it asks for both; where what is kept begins when it asks for
 * nothing, or when there is no journal.
 */
export async function locateJournal(path: string, position: JournalPosition): Promise<number> {
  const { tail, since, keptFrom = 0 } = position;
  if (tail === undefined && since === undefined) return keptFrom;
  const file = await openJournal(path);
  if (file === undefined) return keptFrom;
  try {
    const { size } = await file.stat();
    const kept = { begin: keptFrom, end: size };
    const begin = since === undefined ? keptFrom : await findTime(file, kept, timestampNs(since));
    return tail === undefined ? begin : await findTail(file, { begin, end: size, lines: tail });
  } finally {
    await file.close();
  }
}

/** undefined when there is no such file. */
export async function openJournal(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

interface Tail {
  /** A record boundary; earlier records are left alone. */
  readonly begin: number;
  readonly end: number;
  readonly lines: number;
}

/**
 * Walks backwards. A record that ends a line begins one more; so does the last record of a stream, when its line is not
 * finished yet. Where the streams' unfinished lines are interleaved, the count may come out on a line's later part.
 */
async function findTail(file: FileHandle, { begin, end, lines }: Tail): Promise<number> {
  const seen = new Set<JournalStream>();
  let count = 0;
  let offset: number | undefined;
  for await (const record of recordsBackward(file, begin, end)) {
    offset ??= record.end;
    if (record.endsLine || !seen.has(record.stream)) {
      if (count === lines) return offset;
      count += 1;
      seen.add(record.stream);
    }
    offset = record.start;
  }
  return offset ?? begin;
}

/** `start` and `end` are offsets into the file. */
type PlacedRecord = JournalRecord & { readonly start: number };

async function* recordsBackward(
  file: FileHandle,
  begin: number,
  end: number,
): AsyncGenerator<PlacedRecord> {
  let upTo = end;
  while (upTo > begin) {
    const from = Math.max(begin, upTo - windowBytes);
    const bytes = await readAt(file, from, upTo - from);
    // Unless the window begins where the search does, its first record may have begun before it.
    const skipped = from === begin ? 0 : bytes.indexOf(NEWLINE) + 1;
    const records = [...placedRecords(bytes.subarray(skipped), from + skipped)];
    invariant(from === begin || records.length > 0, "a window holds whole records");
    yield* records.toReversed();
    upTo = from + skipped;
  }
}

/** Halves the file until a window is left, then looks through that. Takes it that times do not go back. */
async function findTime(
  file: FileHandle,
  { begin, end: size }: { readonly begin: number; readonly end: number },
  timeNs: bigint,
): Promise<number> {
  // The record wanted begins neither before `low`, a record boundary, nor after `high`.
  let low = begin;
  let high = size;
  while (high - low > windowBytes) {
    const middle = low + Math.floor((high - low) / 2);
    const bytes = await readAt(file, middle, 2 * recordBytesMax);
    const skipped = bytes.indexOf(NEWLINE) + 1;
    const [first] = placedRecords(bytes.subarray(skipped), middle + skipped);
    invariant(first !== undefined, "two records' length holds a whole record");
    if (timestampNs(first.timestamp) < timeNs) low = first.start;
    else high = first.start;
  }
  const bytes = await readAt(file, low, high - low + recordBytesMax);
  let end = low;
  for (const record of placedRecords(bytes, low)) {
    if (timestampNs(record.timestamp) >= timeNs) return record.start;
    end = record.end;
  }
  return end;
}

function* placedRecords(bytes: Uint8Array, offset: number): Generator<PlacedRecord> {
  let start = 0;
  for (const record of parseJournal(bytes)) {
    yield { ...record, start: offset + start, end: offset + record.end };
    start = record.end;
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, offset);
  return buffer.subarray(0, bytesRead);
}

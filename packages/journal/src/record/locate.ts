/** Finds the offset at which a reader of a journal begins. Both searches read only a small part of a long journal. */
import { type FileHandle, open } from "node:fs/promises";

import { hasErrno } from "@podfleet/base/errno";
import { invariant } from "@podfleet/base/invariant";
import {
  type JournalRecord,
  type JournalStream,
  parseJournal,
} from "@podfleet/base/journal-record";

import { timestampNs } from "./timestamp.ts";
import { NEWLINE, recordBytesMax } from "./whole-length.ts";

export interface JournalPosition {
  /** Begin with this many last lines. */
  readonly tail?: number | undefined;
  /** Begin with the first record written at or after this RFC 3339 time. */
  readonly since?: string | undefined;
  /** Offset at which the kept part of the journal begins; 0 when absent. */
  readonly keptFrom?: number | undefined;
}

const windowBytes = 256 * 1024;

/**
 * Finds the offset of the first record that `position` asks for, and the later one when it asks for both. Returns the beginning of the
 * kept part when it asks for nothing or there is no journal.
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

/** Opens a journal; undefined when there is none. */
export async function openJournal(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

interface Tail {
  /** A record boundary, before which the search ends. */
  readonly begin: number;
  readonly end: number;
  readonly lines: number;
}

/**
 * Counts lines backwards. A record that ends a line counts as one, and so does the last record of a stream whose line is unfinished.
 * Where unfinished lines of both streams are interleaved, the result may be within a line.
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

/** Bisects the file down to one window and scans that. Assumes that times do not decrease. */
async function findTime(
  file: FileHandle,
  { begin, end: size }: { readonly begin: number; readonly end: number },
  timeNs: bigint,
): Promise<number> {
  // The record begins between `low`, a record boundary, and `high`.
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

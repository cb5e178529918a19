/**
 * The journal's record format: conmon's `k8s-file` log driver (the CRI log format).
 *
 *     2026-11-23T17:33:49.123456789+00:00 stdout F bytes\n
 *
 * `F` ends a line: the process wrote a newline after the bytes. `P` is a part of one: it did not. A payload never holds a
 * newline, so a record ends at the first newline. Joining payloads, and a newline after each `F`, gives the stream
 * back byte for byte. An offset into the journal file names a byte of the output for ever.
 */
export type JournalStream = "stdout" | "stderr";

export interface JournalRecord {
  readonly stream: JournalStream;
  /** RFC 3339 with nanoseconds, as the monitor wrote it. */
  readonly timestamp: string;
  /** The process wrote a newline after `payload`. */
  readonly endsLine: boolean;
  readonly payload: Uint8Array;
  /** Offset of the first byte after this record, relative to the start of the parsed bytes. */
  readonly end: number;
}

const NEWLINE = 0x0a;
const SPACE = 0x20;
const FULL = 0x46;

/** Length of the longest prefix of `bytes` that consists of whole records. */
export function wholeRecordsLength(bytes: Uint8Array): number {
  return bytes.lastIndexOf(NEWLINE) + 1;
}

/**
 * Yields the records of `bytes`, which start at a record boundary; a cut-off record at the end is left out.
 * @throws Error when a record has not the format above
 */
export function* parseJournal(bytes: Uint8Array): Generator<JournalRecord> {
  let start = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline < 0) return;
    yield parseRecord(bytes, start, newline);
    start = newline + 1;
  }
}

function parseRecord(bytes: Uint8Array, start: number, newline: number): JournalRecord {
  const afterTime = bytes.indexOf(SPACE, start);
  const afterStream = bytes.indexOf(SPACE, afterTime + 1);
  const flag = bytes[afterStream + 1];
  const payloadStart = afterStream + 3;
  if (afterTime < start || afterStream < 0 || payloadStart > newline || flag === undefined) {
    throw new Error(`Malformed journal record at byte ${start}`);
  }
  const stream = afterStream - afterTime - 1 === 6 ? latin1(bytes, afterTime + 1, afterStream) : "";
  if (stream !== "stdout" && stream !== "stderr") {
    throw new Error(`Malformed journal record at byte ${start}: unknown stream`);
  }
  return {
    stream,
    timestamp: latin1(bytes, start, afterTime),
    endsLine: flag === FULL,
    payload: bytes.subarray(payloadStart, newline),
    end: newline + 1,
  };
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  return String.fromCharCode(...bytes.subarray(start, end));
}

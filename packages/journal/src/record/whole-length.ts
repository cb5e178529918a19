import { closeSync, fstatSync, openSync, readSync } from "node:fs";

import { hasErrno } from "@podfleet/base/errno";

/** An upper bound of a record's length: a payload of 8 KiB with its head is shorter. */
export const recordBytesMax = 16 * 1024;
export const NEWLINE = 0x0a;

/** Measures the journal without an incomplete record at its end; 0 when there is no journal. Costs two small reads. */
export function wholeJournalLength(path: string): number {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return 0;
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    const start = Math.max(0, size - recordBytesMax);
    const tail = Buffer.allocUnsafe(size - start);
    const length = readSync(file, tail, 0, tail.length, start);
    return start + tail.subarray(0, length).lastIndexOf(NEWLINE) + 1;
  } finally {
    closeSync(file);
  }
}

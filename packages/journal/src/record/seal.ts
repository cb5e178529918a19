import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { NEWLINE, recordBytesMax } from "./whole-length.ts";

/**
 * Truncates an incomplete record at the end of a journal, which a killed monitor leaves, so that the next monitor appends after a whole
 * one. Creates an empty journal when there is none. No monitor may be writing to the journal.
 */
export async function sealJournal(path: string): Promise<void> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - recordBytesMax);
    const tail = Buffer.alloc(size - start);
    await file.read(tail, 0, tail.length, start);
    const end = start + tail.lastIndexOf(NEWLINE) + 1;
    if (end < size) await file.truncate(end);
  } finally {
    await file.close();
  }
}

import { constants } from "node:fs";
import { open } from "node:fs/promises";

import { NEWLINE, recordBytesMax } from "./whole-length.ts";

/**
 * Cuts off a record that a monitor was killed in the middle of writing, so that the next monitor appends after a whole
 * one. Creates an empty journal when there is none. Only for a journal that no monitor writes to.
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

import { writeSync } from "node:fs";

import { PodfleetError } from "@podfleet/model/errors";

/** Writes all of the bytes at `position`. @throws PodfleetError STORAGE_FAILED when it could not, such as on a full file system */
export function writeWhole(file: number, bytes: Uint8Array, position: number): void {
  let written = 0;
  try {
    while (written < bytes.length) {
      written += writeSync(file, bytes, written, bytes.length - written, position + written);
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PodfleetError("STORAGE_FAILED", `Cannot keep the input: ${reason}`, { cause });
  }
}

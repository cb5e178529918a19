import { closeSync, openSync, readSync } from "node:fs";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";

import { NEWLINE } from "./whole-length.ts";

/** @throws PodfleetError INVALID_INPUT when `offset` is after the beginning of the kept part and no record ends there */
export function assertBoundary(
  { journal, keptFrom }: { readonly journal: string; readonly keptFrom: () => number },
  offset: number,
): void {
  if (offset <= keptFrom() || byteBefore(journal, offset) === NEWLINE) return;
  throw new PodfleetError(
    "INVALID_INPUT",
    `Cannot read output from offset ${offset}: must be 0, a located offset or one up to which a session has read`,
    { details: { field: "offset", offset } },
  );
}

/** Reads the byte before `offset`; undefined beyond the end of the journal. */
function byteBefore(journal: string, offset: number): number | undefined {
  try {
    const file = openSync(journal, "r");
    try {
      const byte = Buffer.alloc(1);
      return readSync(file, byte, 0, 1, offset - 1) === 1 ? byte[0] : undefined;
    } finally {
      closeSync(file);
    }
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

import { constants, openAsBlob } from "node:fs";
import { access } from "node:fs/promises";

import { flagError } from "./flag-error.ts";

/** The file that a flag names, to be read as it is sent. @throws PodfleetError INVALID_INPUT when it cannot be read */
export async function openInputFile(flag: string, path: string): Promise<Blob> {
  try {
    await access(path, constants.R_OK);
    return (await openAsBlob(path)) as unknown as Blob;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw flagError(flag, path, `must be a file that can be read (${reason})`);
  }
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";

/** CRIU's files beside its images, in its work directory. */
export const dumpFiles = { log: "dump.log", statistics: "stats-dump" } as const;
export const restoreFiles = { log: "restore.log", statistics: "stats-restore" } as const;

/**
 * `(00.012345) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.` Of the one about
 * its own limits CRIU makes nothing: it goes on.
 */
const complaintPattern = /\bError \([^)]*\): (?!rlimit: Can't setup RLIMIT_NOFILE for self)(.+)/;

/**
 * The failure of a checkpoint or a restore, with CRIU's first complaint where it had one: what follows is its consequence.
 * @param action `checkpoint container "web"`
 */
export async function criuFailure(
  failure: PodfleetError,
  action: string,
  logPath: string,
): Promise<PodfleetError> {
  const log = await readLog(logPath);
  const complaint = complaintPattern.exec(log)?.[1]?.replace(/\.$/, "");
  return new PodfleetError(
    "CHECKPOINT_FAILED",
    `Cannot ${action}: ${complaint ?? failure.message}`,
    { details: { reason: complaint ?? failure.message }, cause: failure },
  );
}

/** Whether the dump whose log is in `directory` came to its end. */
export async function isDumpWhole(directory: string): Promise<boolean> {
  return /Dumping finished successfully/.test(await readLog(join(directory, dumpFiles.log)));
}

async function readLog(path: string): Promise<string> {
  try {
    return await readFile(path, "latin1");
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return "";
    throw error;
  }
}

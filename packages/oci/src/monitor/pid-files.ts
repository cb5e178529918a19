/** Process ids in files of a bundle, which outlive the agent. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";

/** Name of the file that holds the id of the monitor proper. */
export const monitorPidFile = "monitor.pid";

/** Finds the monitor's process id; undefined when conmon has not forked the monitor yet. */
export async function findMonitorPid(bundle: string): Promise<number | undefined> {
  return await findPid(join(bundle, monitorPidFile));
}

/** Reads the process id from a file that conmon or the runtime has written; undefined when there is none. */
export async function findPid(path: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(path, "utf8"), 10);
    return pid > 1 ? pid : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Clock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";

const timeoutMs = 5_000;
const pollMs = 10;

/**
 * Kills the processes in a cgroup and removes it, with the cgroups below it. The OCI runtime does this for containers that it knows.
 * @param directories the cgroup's directory in each hierarchy
 * @throws PodfleetError RUNTIME_TIMEOUT when a process does not end
 */
export async function removeCgroup(directories: readonly string[], clock: Clock): Promise<void> {
  const deadlineMs = clock.nowMs() + timeoutMs;
  thawCgroup(directories);
  for (const directory of directories) {
    while (existsSync(directory) && !tryRemove(directory)) {
      if (clock.nowMs() >= deadlineMs) {
        throw new PodfleetError(
          "RUNTIME_TIMEOUT",
          `Cannot remove cgroup "${directory}": its processes did not end after SIGKILL`,
        );
      }
      await clock.sleep(pollMs);
    }
  }
}

/** Thaws a frozen cgroup, so that its processes can end. The OCI runtime does this for containers that it knows. */
export function thawCgroup(directories: readonly string[]): void {
  for (const directory of directories) {
    for (const [file, state] of thawed) {
      const path = join(directory, file);
      if (existsSync(path)) writeFileSync(path, state);
    }
  }
}

/** Files that thaw a cgroup, and their content, in version 1 and 2. */
const thawed = [
  ["freezer.state", "THAWED"],
  ["cgroup.freeze", "0"],
] as const;

/** Removes the cgroup; returns false while a process in it has yet to end. */
function tryRemove(directory: string): boolean {
  const below = readdirSync(directory, { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  const empty = below.map((entry) => tryRemove(join(directory, entry.name))).every(Boolean);
  const pids = readFileSync(join(directory, "cgroup.procs"), "latin1").split("\n").filter(Boolean);
  for (const pid of pids) kill(Number(pid));
  if (!empty || pids.length > 0) return false;
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    if (hasErrno(error, "EBUSY")) return false;
    throw error;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

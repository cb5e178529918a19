import { readFileSync } from "node:fs";

import type { Clock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";

/** A process id, which the kernel uses again, with the time of the process's start, which tells it from a later process. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process. */
  readonly startTicks: number;
}

/** Time between two looks at a process that is ending. */
const endPollMs = 10;

/** Finds when the process started; undefined when no process has that id. */
export function findStartTicks(pid: number): number | undefined {
  const fields = readProcessFields(pid);
  return fields === undefined ? undefined : Number(fields[19]);
}

/** Returns undefined unless both are known. */
export function identityOf(
  pid: number | undefined,
  startTicks: number | undefined,
): ProcessIdentity | undefined {
  return pid === undefined || startTicks === undefined ? undefined : { pid, startTicks };
}

/** Tells whether the process runs; a zombie, which waits for its parent to reap it, does not. */
export function isAlive(process: ProcessIdentity): boolean {
  const fields = readProcessFields(process.pid);
  if (fields === undefined || Number(fields[19]) !== process.startTicks) return false;
  return fields[0] !== "Z" && fields[0] !== "X";
}

/** Sends SIGKILL and waits for the process's end; returns false when `timeoutMs` have passed before. */
export async function endProcess(
  identity: ProcessIdentity,
  timeoutMs: number,
  clock: Clock,
): Promise<boolean> {
  const deadlineMs = clock.nowMs() + timeoutMs;
  if (isAlive(identity)) sendSignal(identity.pid, "SIGKILL");
  while (isAlive(identity)) {
    if (clock.nowMs() >= deadlineMs) return false;
    await clock.sleep(endPollMs);
  }
  return true;
}

/** Sends a signal; does nothing when the process has ended. */
export function sendSignal(pid: number, signal: number | NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

/** Reads the fields of /proc/PID/stat after the command's name (proc_pid_stat(5)): the state is the first, the start the 20th. */
function readProcessFields(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch (error) {
    if (hasErrno(error, "ENOENT") || hasErrno(error, "ESRCH")) return undefined;
    throw error;
  }
}

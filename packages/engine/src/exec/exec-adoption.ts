import type { Clock } from "@podfleet/base/clock";
import { findExecPids, isExecDescribed } from "@podfleet/oci/monitor/exec-monitor";
import type { MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import {
  endProcess,
  findStartTicks,
  identityOf,
  isAlive,
} from "@podfleet/oci/process/process-identity";

/** The longest that a monitor of an earlier engine may take to run its command. */
const startTimeoutMs = 5_000;
const endTimeoutMs = 5_000;
const pollMs = 20;

/**
 * Finds the result of a launch whose engine ended on the way: the command and its monitor; `none` when the command has certainly not
 * run; `unknown` when it may have run and ended. Ends a monitor that does not run its command in time.
 */
export async function findLaunched(
  bundle: string,
  clock: Clock,
): Promise<MonitoredProcess | "none" | "unknown"> {
  const process = await findProcess(bundle, clock);
  if (process) return process;
  return (await isExecDescribed(bundle)) ? "unknown" : "none";
}

async function findProcess(bundle: string, clock: Clock): Promise<MonitoredProcess | undefined> {
  const deadlineMs = clock.nowMs() + startTimeoutMs;
  for (;;) {
    const { pid, monitorPid } = await findExecPids(bundle);
    if (pid !== undefined && monitorPid !== undefined) return { pid, monitorPid };
    const monitor = identityOf(monitorPid, monitorPid && findStartTicks(monitorPid));
    if (!monitor || !isAlive(monitor)) return undefined;
    if (clock.nowMs() >= deadlineMs) {
      await endProcess(monitor, endTimeoutMs, clock);
      return undefined;
    }
    await clock.sleep(pollMs);
  }
}

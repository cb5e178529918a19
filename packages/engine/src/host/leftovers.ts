/**
 * What an engine that was killed may have left under way: monitors that nobody has taken into a record, and calls of the OCI
 * runtime. Both would change containers behind the back of the engine that follows.
 */
import type { Clock } from "@podfleet/base/clock";
import { endProcess, isAlive, type ProcessIdentity } from "@podfleet/oci/process/process-identity";
import { listProcesses } from "@podfleet/oci/process/process-table";

const endTimeoutMs = 5_000;
const runtimeTimeoutMs = 5_000;
const pollMs = 20;

export interface LeftoverOptions {
  readonly clock: Clock;
  /** The engine's own directories, by which its processes are known. */
  readonly exitDirectory: string;
  readonly runtimeRoot: string;
  /** Monitors and processes of containers that have one by their record. A created one's is called as its runtime was (crun). */
  readonly recordedPids: ReadonlySet<number>;
}

/** Kills monitors that no record names, and lets runtime calls come to their end, or kills them too. */
export async function endLeftovers(options: LeftoverOptions): Promise<void> {
  const { clock, exitDirectory, runtimeRoot, recordedPids } = options;
  const processes = listProcesses().filter(({ pid }) => !recordedPids.has(pid));
  const monitors = processes.filter(({ argv }) => hasOption(argv, "--exit-dir", exitDirectory));
  await Promise.all(monitors.map((monitor) => endProcess(monitor, endTimeoutMs, clock)));
  const calls = processes.filter(({ argv }) => hasOption(argv, "--root", runtimeRoot));
  await Promise.all(
    calls.map(async (call) => {
      await awaitEnd(call, clock);
      await endProcess(call, endTimeoutMs, clock);
    }),
  );
}

async function awaitEnd(process: ProcessIdentity, clock: Clock): Promise<void> {
  const deadlineMs = clock.nowMs() + runtimeTimeoutMs;
  while (isAlive(process) && clock.nowMs() < deadlineMs) await clock.sleep(pollMs);
}

function hasOption(argv: readonly string[], option: string, value: string): boolean {
  return argv.some((argument, position) => argument === option && argv[position + 1] === value);
}

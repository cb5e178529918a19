/**
 * What passes the input of a command on to its monitor, byte by byte from the first one on:
 *
 *     input file ──▶ tail -f ──pipe──▶ socat ──▶ conmon's socket ──▶ the command's standard input
 *
 * Both processes outlive the agent. They are the only client that conmon ever has, so when they end, it closes the command's input.
 * socat reads, and drops, what conmon sends to its clients: one that did not would stop the command. tail ends when nobody reads its
 * pipe any more. There is one feeder for a command: a second one would pass everything on again.
 */
import { closeSync, readFileSync } from "node:fs";
import { basename, dirname } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { invariant } from "@podfleet/base/invariant";
import {
  findStartTicks,
  isAlive,
  type ProcessIdentity,
  sendSignal,
} from "@podfleet/oci/process/process-identity";
import { listProcesses } from "@podfleet/oci/process/process-table";
import { findTool, toolEnvironment } from "@podfleet/oci/process/run-command";
import { type Descriptor, openPipe, spawnProcess } from "@podfleet/oci/process/spawn-process";

/** conmon cuts off what is longer than 32 KiB. */
const packetBytes = 8 * 1024;
/** How often tail looks at the file on a host that has no inotify instance left. */
const pollSeconds = 0.02;

/** The cgroup that outlives the agent's own; oci's HoldingCgroup is one. */
export interface FeederCgroup {
  /** Moves the process there, beside other work. */
  joinSoon(process: ProcessIdentity): void;
}

export class Feeder {
  readonly #tail: ProcessIdentity;

  constructor(tail: ProcessIdentity) {
    this.#tail = tail;
  }

  /** @param input path of an empty file in the monitor's bundle */
  static start(input: string, cgroup: FeederCgroup): Feeder {
    const [reading, writing] = openPipe();
    try {
      const args = ["-c", "+1", "-f", "-s", String(pollSeconds), "--", input];
      // tail first: if the agent ends now, tail ends too, and nobody has connected to the monitor.
      const tail = spawn("tail", { args, descriptors: ["null", writing, "null"], cgroup });
      spawn("socat", {
        // From within the bundle: the socket's path may be longer than an address may be.
        args: ["-b", String(packetBytes), "-", "UNIX-CONNECT:attach,type=5"],
        cwd: dirname(input),
        descriptors: [reading, "null", "null"],
        cgroup,
      });
      return new Feeder(tail);
    } finally {
      closeSync(reading);
      closeSync(writing);
    }
  }

  /** How many bytes were passed on, to the pipe at least; undefined when it has ended. */
  passedOn(): number | undefined {
    if (!isAlive(this.#tail)) return undefined;
    try {
      const io = readFileSync(`/proc/${this.#tail.pid}/io`, "latin1");
      return Number(/^wchar: (\d+)$/m.exec(io)?.[1]);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
      throw error;
    }
  }

  /** What was passed on still arrives, and then its end. */
  end(): void {
    if (isAlive(this.#tail)) sendSignal(this.#tail.pid, "SIGKILL");
  }
}

/** The feeders that an earlier engine has left, by their files, which are in bundles below these directories. */
export function findFeeders(directories: readonly string[]): Map<string, Feeder> {
  const feeders = new Map<string, Feeder>();
  for (const { argv, ...tail } of listProcesses()) {
    const input = argv.find((argument) => directories.includes(dirname(dirname(argument))));
    if (basename(argv[0] ?? "") === "tail" && input) feeders.set(input, new Feeder(tail));
  }
  return feeders;
}

interface SpawnOptions {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly descriptors: readonly Descriptor[];
  readonly cgroup: FeederCgroup;
}

function spawn(tool: string, { args, cgroup, ...options }: SpawnOptions): ProcessIdentity {
  const env = toolEnvironment;
  const { pid, reap } = spawnProcess(findTool(tool), args, { ...options, env, session: true });
  const startTicks = findStartTicks(pid);
  invariant(startTicks !== undefined, "a child that nobody has reaped has a start");
  const identity = { pid, startTicks };
  cgroup.joinSoon(identity);
  // Safe to ignore: how it ends is of no interest, only its process id is to be freed.
  reap().catch(() => undefined);
  return identity;
}

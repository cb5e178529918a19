/**
 * Forwards a command's input file to its monitor, from the first byte on:
 *
 *     input file ──▶ tail -f ──pipe──▶ socat ──▶ conmon's socket ──▶ the command's standard input
 *
 * Both processes outlive the agent. They are conmon's only client, so conmon closes the command's input when they end. socat reads and
 * drops the output that conmon sends to its clients: a client that does not read it would block the command. tail ends when its pipe has
 * no reader. A command has one forwarder at most: a second one would send everything again.
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

/** Well below 32 KiB, where conmon truncates packets. */
const packetBytes = 8 * 1024;
/** The interval at which tail polls the file on a host that has no inotify instance left. */
const pollSeconds = 0.02;

/** A cgroup that outlives the agent's own, such as a HoldingCgroup. */
export interface ForwarderCgroup {
  /** Moves the process into the cgroup, in the background. */
  joinSoon(process: ProcessIdentity): void;
}

/** The forwarder of one command's input, known by its tail process. */
export class InputForwarder {
  readonly #tail: ProcessIdentity;

  constructor(tail: ProcessIdentity) {
    this.#tail = tail;
  }

  /**
   * Starts both processes.
   * @param input path of an empty file in the monitor's bundle
   */
  static start(input: string, cgroup: ForwarderCgroup): InputForwarder {
    const [reading, writing] = openPipe();
    try {
      const args = ["-c", "+1", "-f", "-s", String(pollSeconds), "--", input];
      // tail goes first: if the agent ends here, tail ends too, and conmon has had no client.
      const tail = spawn("tail", { args, descriptors: ["null", writing, "null"], cgroup });
      spawn("socat", {
        // The path is relative to the bundle: the absolute one may be longer than a socket address.
        args: ["-b", String(packetBytes), "-", "UNIX-CONNECT:attach,type=5"],
        cwd: dirname(input),
        descriptors: [reading, "null", "null"],
        cgroup,
      });
      return new InputForwarder(tail);
    } finally {
      closeSync(reading);
      closeSync(writing);
    }
  }

  /** Counts the bytes that tail has written to the pipe; undefined when tail has ended. */
  bytesForwarded(): number | undefined {
    if (!isAlive(this.#tail)) return undefined;
    try {
      const io = readFileSync(`/proc/${this.#tail.pid}/io`, "latin1");
      return Number(/^wchar: (\d+)$/m.exec(io)?.[1]);
    } catch (error) {
      if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
      throw error;
    }
  }

  /** Ends the command's input after the bytes that were forwarded. */
  end(): void {
    if (isAlive(this.#tail)) sendSignal(this.#tail.pid, "SIGKILL");
  }
}

/** Finds the forwarders that an earlier engine left, by their input files, in the bundles below these directories. */
export function findForwarders(directories: readonly string[]): Map<string, InputForwarder> {
  const forwarders = new Map<string, InputForwarder>();
  for (const { argv, ...tail } of listProcesses()) {
    const input = argv.find((argument) => directories.includes(dirname(dirname(argument))));
    if (basename(argv[0] ?? "") === "tail" && input)
      forwarders.set(input, new InputForwarder(tail));
  }
  return forwarders;
}

interface SpawnOptions {
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly descriptors: readonly Descriptor[];
  readonly cgroup: ForwarderCgroup;
}

function spawn(tool: string, { args, cgroup, ...options }: SpawnOptions): ProcessIdentity {
  const env = toolEnvironment;
  const { pid, reap } = spawnProcess(findTool(tool), args, { ...options, env, session: true });
  const startTicks = findStartTicks(pid);
  invariant(startTicks !== undefined, "a child that was not reaped has a start time");
  const identity = { pid, startTicks };
  cgroup.joinSoon(identity);
  // Safe to ignore: its exit code means nothing, and reaping only frees the process id.
  reap().catch(() => undefined);
  return identity;
}

/**
 * conmon, the monitor: one process for each run of a container. It has the OCI runtime create the container, holds its
 * terminal or pipes, writes its output to the journal, and its exit code to a file named by the container's id in the
 * exit directory. It outlives the agent.
 *
 * In the bundle it makes `attach` (socket, SOCK_SEQPACKET), `ctl` and `winsz` (fifos), and `oom` when the kernel killed
 * a process of the container for memory. Socket paths may be longer than 108 bytes: conmon binds them through a
 * directory descriptor, and a client connects from within the bundle.
 */
import { join } from "node:path";

import { withDeadline } from "@podfleet/base/deadline";
import { invariant } from "@podfleet/base/invariant";
import { PodfleetError } from "@podfleet/model/errors";

import type { HoldingCgroup } from "../cgroup/holding-cgroup.ts";
import { runCommand } from "../process/run-command.ts";
import { traced } from "../process/trace.ts";
import { creationFailure, reasonOf } from "../runtime/runtime-failure.ts";
import type { OciRuntime } from "../runtime/runtime.ts";
import { endMonitor, type Launch, launchMonitor, monitor, readAnswer } from "./monitor-launch.ts";
import { findMonitorPid, monitorPidFile } from "./pid-files.ts";

export interface MonitorOptions {
  readonly id: string;
  /** The container's bundle, which holds `config.json` once `ready` has resolved. */
  readonly bundle: string;
  /** Path of the file that conmon appends output to. */
  readonly journal: string;
  readonly exitDirectory: string;
  readonly tty: boolean;
  /** Keeps the command's standard input open until conmon's client, the forwarder of its input, disconnects. */
  readonly stdin: boolean;
  readonly runtime: Pick<OciRuntime, "monitorArguments">;
  /** Has the runtime revive the processes of a checkpoint instead of creating one. */
  readonly revival?: Revival | undefined;
}

export interface Revival {
  /** Path of the directory that CRIU has written the processes to. */
  readonly imageDirectory: string;
  /** Further arguments of the runtime's `restore`. */
  readonly runtimeArguments: readonly string[];
}

export interface MonitorCreateOptions extends MonitorOptions {
  readonly runtime: Pick<OciRuntime, "monitorArguments" | "timeoutMs">;
  /** Path of conmon; the host's when absent. */
  readonly program?: string | undefined;
  /** The cgroup that monitors run in. */
  readonly cgroup: HoldingCgroup;
  /** The container's argv[0], for messages. */
  readonly command: string;
  /**
   * Resolves when the bundle is complete and its root filesystem mounted; conmon starts up meanwhile and waits. A rejection ends
   * conmon and is passed on.
   */
  readonly ready: Promise<void>;
}

export interface MonitoredProcess {
  /** Process id, on the host, of the container's or the session's first process. */
  readonly pid: number;
  readonly monitorPid: number;
}

/** Name of the file in the bundle that holds the id of the container's first process. */
export const containerPidFile = "container.pid";

/** Enough to read the memory of large processes back. */
const reviveTimeoutMs = 10 * 60_000;

export async function monitorVersion(): Promise<string> {
  const { stdout } = await runCommand(monitor, ["--version"], {
    timeoutMs: 10_000,
    spanName: "conmon version",
  });
  const version = /version (\S+)/.exec(stdout)?.[1];
  if (version !== undefined) return version;
  throw new PodfleetError("RUNTIME_FAILED", `Cannot read the version of "${monitor}"`);
}

/** Builds conmon's arguments for a container (not for an exec session). */
export function monitorArguments(options: MonitorOptions): string[] {
  return [
    ...["--api-version", "1"],
    ...["--cid", options.id, "--cuuid", options.id, "--name", options.id],
    ...options.runtime.monitorArguments(),
    ...["--bundle", options.bundle],
    ...["--container-pidfile", join(options.bundle, containerPidFile)],
    ...["--conmon-pidfile", join(options.bundle, monitorPidFile)],
    ...["--exit-dir", options.exitDirectory],
    ...["--log-path", `k8s-file:${options.journal}`],
    ...["--log-level", "warn"],
    "--full-attach",
    ...(options.stdin ? ["--stdin"] : []),
    ...(options.tty ? ["--terminal"] : []),
    ...revivalArguments(options.revival),
  ];
}

function revivalArguments(revival: Revival | undefined): string[] {
  if (!revival) return [];
  const { imageDirectory, runtimeArguments } = revival;
  return [
    ...["--restore", imageDirectory],
    ...runtimeArguments.flatMap((argument) => ["--runtime-opt", argument]),
  ];
}

/**
 * Creates a container in the OCI runtime under a monitor of its own. The runtime has it as `created` then; a revived one as `running`.
 * @throws PodfleetError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED with the runtime's reason, or
 * RUNTIME_TIMEOUT; no monitor is left then, but the runtime may still hold the container
 */
export async function createWithMonitor(options: MonitorCreateOptions): Promise<MonitoredProcess> {
  // Safe to ignore: it is awaited below, perhaps after it has rejected.
  options.ready.catch(() => undefined);
  const attributes = { "podfleet.container.id": options.id, "process.executable.name": monitor };
  return await traced("conmon create", attributes, async () => {
    const { program, bundle, cgroup } = options;
    const args = monitorArguments(options);
    const launch = launchMonitor({ program, args, bundle, cgroup });
    try {
      const timeoutMs = options.revival ? reviveTimeoutMs : 2 * options.runtime.timeoutMs;
      const creation = finishCreation(launch, options);
      return await withDeadline(creation, timeoutMs, () => creationTimeout(timeoutMs));
    } catch (error) {
      await endMonitor(launch, options.bundle);
      throw error;
    } finally {
      launch.release();
    }
  });
}

async function finishCreation(
  launch: Launch,
  options: MonitorCreateOptions,
): Promise<MonitoredProcess> {
  await options.ready;
  launch.startPipe.end("\0");
  const answer = await readAnswer(launch);
  if (answer.data < 0) throw creationFailure(reasonOf(answer.message ?? ""), options.command);
  const monitorPid = await findMonitorPid(options.bundle);
  invariant(monitorPid !== undefined, "conmon has written its pid before its first process ends");
  launch.settle(monitorPid);
  return { pid: answer.data, monitorPid };
}

function creationTimeout(timeoutMs: number): PodfleetError {
  return new PodfleetError(
    "RUNTIME_TIMEOUT",
    `Cannot create the container: the OCI runtime did not finish within ${timeoutMs} ms`,
  );
}

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
import {
  endMonitor,
  findMonitorPid,
  type Launch,
  launchMonitor,
  monitor,
  monitorPidFile,
  readAnswer,
} from "./monitor-launch.ts";

export interface MonitorOptions {
  readonly id: string;
  /** Directory that holds `config.json` once `ready` has resolved. */
  readonly bundle: string;
  /** File that output is appended to. */
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
  /** What CRIU has written. */
  readonly imageDirectory: string;
  /** Further arguments of the runtime's `restore`. */
  readonly runtimeArguments: readonly string[];
}

export interface MonitorCreateOptions extends MonitorOptions {
  readonly runtime: Pick<OciRuntime, "monitorArguments" | "timeoutMs">;
  /** conmon; the host's own when absent. */
  readonly program?: string | undefined;
  /** Where monitors live, apart from the agent and from the containers. */
  readonly cgroup: HoldingCgroup;
  /** The container's argv[0], for messages. */
  readonly command: string;
  /**
   * Resolves when the bundle is complete and its root filesystem mounted. conmon starts up meanwhile and waits; when it
   * rejects, conmon is ended and the rejection passed on.
   */
  readonly ready: Promise<void>;
}

export interface MonitoredProcess {
  /** The container's first process, on the host. */
  readonly pid: number;
  readonly monitorPid: number;
}

/** In the bundle: the id of the container's first process. */
export const containerPidFile = "container.pid";

/** Reading the memory of large processes back takes its time. */
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

/** conmon's arguments for a container of its own (not for an exec session). */
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
 * Brings a container from nothing to the runtime's state `created`, or to `running` when it is revived, under a monitor of its own.
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

/**
 * conmon for exec sessions, one process for each. It has the OCI runtime run the command in the container, holds the command's terminal
 * or pipes, writes its output to the session's journal and its exit code to the session's exit directory, and outlives the agent. The exit
 * file is named by the container's id, so each session has an exit directory and a bundle of its own.
 *
 * A client can be connected to the command's input before it runs:
 *
 *     first byte on the start pipe ──▶ conmon makes the socket `attach` ──▶ second byte ──▶ the command runs
 *
 * The end of the start pipe counts as a byte, and conmon ends when nobody reads its answer. So an agent that ends in between may leave a
 * command without a monitor.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";

import { withDeadline } from "@podfleet/base/deadline";
import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSpec } from "@podfleet/model/exec";
import type { ContainerId, ExecId } from "@podfleet/model/ids";

import type { HoldingCgroup } from "../cgroup/holding-cgroup.ts";
import { traced } from "../process/trace.ts";
import { execFailure, reasonOf } from "../runtime/runtime-failure.ts";
import type { OciRuntime } from "../runtime/runtime.ts";
import {
  endMonitor,
  firstLine,
  type Launch,
  launchMonitor,
  monitor,
  readAnswer,
} from "./monitor-launch.ts";
import type { MonitoredProcess } from "./monitor.ts";
import { findMonitorPid, findPid, monitorPidFile } from "./pid-files.ts";

export interface ExecMonitorOptions {
  readonly execId: ExecId;
  readonly containerId: ContainerId;
  readonly spec: Pick<
    ExecSpec,
    "command" | "stdin" | "tty" | "workdir" | "preserveFds" | "timeoutSeconds"
  >;
  /** The session's own directory, which holds `execProcessFile` once `ready` has resolved. */
  readonly bundle: string;
  /** The session's own directory for its exit file, empty at first. */
  readonly exitDirectory: string;
  /** Path of the file that conmon appends output to. */
  readonly journal: string;
  readonly runtime: Pick<OciRuntime, "monitorArguments">;
}

export interface ExecWithMonitorOptions extends ExecMonitorOptions {
  readonly runtime: Pick<OciRuntime, "monitorArguments" | "timeoutMs">;
  /** Path of conmon. */
  readonly program: string;
  /** The cgroup that monitors run in. */
  readonly cgroup: HoldingCgroup;
  /** Open files that the command gets from descriptor 3 on, as many as the spec says. */
  readonly descriptors: readonly number[];
  /** Resolves when the bundle is complete; conmon starts up meanwhile. A rejection ends conmon and is passed on. */
  readonly ready: Promise<void>;
}

export const execProcessFile = "process.json";
const processPidFile = "process.pid";

/** Builds conmon's arguments for an exec session. */
export function execMonitorArguments(options: ExecMonitorOptions): string[] {
  const { execId, containerId, bundle, spec } = options;
  const preserve = ["--preserve-fds", String(spec.preserveFds)];
  return [
    ...["--api-version", "1"],
    ...["--cid", containerId, "--cuuid", execId, "--name", containerId],
    ...options.runtime.monitorArguments(),
    ...(spec.preserveFds > 0 ? preserve.flatMap((option) => ["--runtime-opt", option]) : []),
    ...["--bundle", bundle],
    ...["--container-pidfile", join(bundle, processPidFile)],
    ...["--conmon-pidfile", join(bundle, monitorPidFile)],
    ...["--exit-dir", options.exitDirectory],
    ...["--log-path", `k8s-file:${options.journal}`],
    ...["--log-level", "warn"],
    // The output of a session need not survive a power failure: its command does not either.
    "--no-sync-log",
    "--full-attach",
    ...["--exec", "--exec-attach", "--exec-process-spec", join(bundle, execProcessFile)],
    ...(spec.timeoutSeconds === undefined ? [] : ["--timeout", String(spec.timeoutSeconds)]),
    ...(spec.stdin ? ["--stdin"] : []),
    ...(spec.tty ? ["--terminal"] : []),
  ];
}

/**
 * Runs a command in a running container, under a monitor of its own.
 * @throws PodfleetError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, INVALID_INPUT for a workdir that is not there,
 * RUNTIME_FAILED with the runtime's reason, or RUNTIME_TIMEOUT; no monitor is left then
 */
export async function execWithMonitor(options: ExecWithMonitorOptions): Promise<MonitoredProcess> {
  // Safe to ignore: it is awaited below, perhaps after it has rejected.
  options.ready.catch(() => undefined);
  const attributes = {
    "podfleet.container.id": options.containerId,
    "podfleet.exec.id": options.execId,
    "process.executable.name": monitor,
  };
  return await traced("conmon exec", attributes, async () => {
    const { program, bundle, cgroup, descriptors } = options;
    const { timeoutMs } = options.runtime;
    const args = execMonitorArguments(options);
    const launch = launchMonitor({
      program,
      args,
      bundle,
      cgroup,
      descriptors,
      attach: true,
    });
    try {
      const started = finishExec(launch, options);
      return await withDeadline(started, timeoutMs, () => execTimeout(timeoutMs));
    } catch (error) {
      await endMonitor(launch, bundle);
      throw error;
    } finally {
      launch.release();
    }
  });
}

async function finishExec(
  launch: Launch,
  { bundle, ready, spec }: ExecWithMonitorOptions,
): Promise<MonitoredProcess> {
  await ready;
  launch.startPipe.write("\0");
  if (launch.attachPipe) await firstLine(launch.attachPipe);
  launch.startPipe.end("\0");
  const answer = await readAnswer(launch);
  if (answer.data < 0) throw execFailure(reasonOf(answer.message ?? ""), spec);
  const monitorPid = await findMonitorPid(bundle);
  if (monitorPid === undefined) {
    throw new PodfleetError("RUNTIME_FAILED", "Cannot run the command: conmon left no process id");
  }
  launch.settle(monitorPid);
  return { pid: answer.data, monitorPid };
}

/** Finds the processes that an `execWithMonitor` of an earlier agent has started. */
export async function findExecPids(
  bundle: string,
): Promise<{ readonly pid: number | undefined; readonly monitorPid: number | undefined }> {
  const [pid, monitorPid] = await Promise.all([
    findPid(join(bundle, processPidFile)),
    findMonitorPid(bundle),
  ]);
  return { pid, monitorPid };
}

/** Tells whether the command's description has been written: before that, the runtime cannot have run it. */
export async function isExecDescribed(bundle: string): Promise<boolean> {
  try {
    await access(join(bundle, execProcessFile));
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

function execTimeout(timeoutMs: number): PodfleetError {
  return new PodfleetError(
    "RUNTIME_TIMEOUT",
    `Cannot run the command: the OCI runtime did not start it within ${timeoutMs} ms`,
  );
}

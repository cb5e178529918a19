/**
 * The start of conmon, for a container or for an exec session, and the pipes to talk to it. conmon's first process forks the monitor
 * proper and ends. The monitor leads a process group of its own and outlives the agent.
 */
import { rmSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { invariant } from "@podfleet/base/invariant";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import type { HoldingCgroup } from "../cgroup/holding-cgroup.ts";
import { findStartTicks, identityOf } from "../process/process-identity.ts";
import { findTool, lastLine, toolEnvironment } from "../process/run-command.ts";
import { spawnProcess } from "../process/spawn-process.ts";
import { findMonitorPid, monitorPidFile } from "./pid-files.ts";

export const monitor = "conmon";

/** Characters of conmon's standard error that are kept. */
const errorTextMax = 64 * 1024;

export interface LaunchOptions {
  /** Path of conmon; the host's when absent. */
  readonly program?: string | undefined;
  /** conmon's arguments; `--conmon-pidfile` among them, with `monitorPidFile` in the bundle. */
  readonly args: readonly string[];
  /** conmon's working directory, where it writes `oom`. */
  readonly bundle: string;
  /** The cgroup that monitors run in. */
  readonly cgroup: HoldingCgroup;
  /** Open files that the command gets from descriptor 3 on. */
  readonly descriptors?: readonly number[];
  /** Has conmon say when a client can connect to its socket, and then wait for a second byte. */
  readonly attach?: boolean;
}

export interface Launch {
  /** Process id of conmon's first process. */
  readonly pid: number;
  /** Waits for the end of conmon's first process, which comes soon after conmon's answer or its end. */
  readonly reap: () => Promise<unknown>;
  /** Carries conmon's answer, one line; ends without a line when conmon ends. */
  readonly syncPipe: Socket;
  /** Takes the bytes that let conmon go on. */
  readonly startPipe: Socket;
  /** With `attach`, carries a line when the socket has been made. */
  readonly attachPipe: Socket | undefined;
  readonly errorText: () => string;
  /** Moves the monitor to the cgroup for monitors soon, unless it has ended. */
  readonly settle: (monitorPid: number) => void;
  /** Closes our ends of conmon's pipes; the monitor runs on. */
  readonly release: () => void;
}

export function launchMonitor(options: LaunchOptions): Launch {
  const { args, bundle, descriptors = [], attach = false } = options;
  rmSync(join(bundle, monitorPidFile), { force: true });
  const sync = 3 + descriptors.length;
  const pipes = { _OCI_SYNCPIPE: String(sync), _OCI_STARTPIPE: String(sync + 1) };
  const child = spawnProcess(options.program ?? findTool(monitor), args, {
    session: true,
    cwd: bundle,
    descriptors: [
      ...(["null", "null", "writes"] as const),
      ...descriptors,
      ...(["writes", "reads"] as const),
      ...(attach ? (["writes"] as const) : []),
    ],
    env: {
      ...toolEnvironment,
      ...pipes,
      ...(attach ? { _OCI_ATTACHPIPE: String(sync + 2) } : {}),
    },
  });
  const pipe = (position: number): Socket => {
    const found = child.pipes.get(position);
    invariant(found, `conmon's descriptor ${position} is a pipe`);
    return found;
  };
  const [errorPipe, syncPipe, startPipe] = [pipe(2), pipe(sync), pipe(sync + 1)];
  const attachPipe = attach ? pipe(sync + 2) : undefined;
  // Safe to ignore: conmon has ended, and the sync pipe's end without an answer says so.
  startPipe.on("error", () => undefined);
  let errorText = "";
  errorPipe.setEncoding("utf8").on("data", (text: string) => {
    errorText = (errorText + text).slice(-errorTextMax);
  });
  const move = options.cgroup.moves.expect();
  let reaped: Promise<unknown> | undefined;
  return {
    pid: child.pid,
    reap: async () => await (reaped ??= child.reap()),
    syncPipe,
    startPipe,
    attachPipe,
    errorText: () => errorText,
    settle: (monitorPid) => {
      const monitor = identityOf(monitorPid, findStartTicks(monitorPid));
      if (monitor) options.cgroup.joinSoon(monitor);
    },
    release: () => {
      move[Symbol.dispose]();
      for (const pipe of [errorPipe, syncPipe, startPipe, attachPipe]) pipe?.destroy();
    },
  };
}

/** conmon's answer: a process id, or a negative number and the reason. */
const answerSchema = z.object({ data: z.number().int(), message: z.string().optional() });
export type MonitorAnswer = z.infer<typeof answerSchema>;

/**
 * Reads conmon's answer.
 * @throws PodfleetError RUNTIME_FAILED when conmon ends without one
 */
export async function readAnswer(launch: Launch): Promise<MonitorAnswer> {
  const line = await firstLine(launch.syncPipe);
  await launch.reap();
  if (line !== "") return answerSchema.parse(JSON.parse(line));
  const reason = lastLine(launch.errorText()) || "it ended without an answer";
  throw new PodfleetError("RUNTIME_FAILED", `Cannot run the command: conmon: ${reason}`, {
    details: { reason },
  });
}

/** Reads one line; empty when the pipe ends before. */
export async function firstLine(pipe: Socket): Promise<string> {
  let text = "";
  for await (const chunk of pipe.setEncoding("utf8")) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return text.slice(0, text.indexOf("\n") + 1);
}

export async function endMonitor(launch: Launch, bundle: string): Promise<void> {
  const monitorPid = await findMonitorPid(bundle);
  for (const leader of [launch.pid, ...(monitorPid === undefined ? [] : [monitorPid])]) {
    killGroup(leader);
  }
  await launch.reap();
}

/** Kills a process group: each of conmon's two processes leads one, and the runtime is in the second. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

/**
 * Starting conmon, for a container or for an exec session, and talking to it over the pipes that it is given. Its first process
 * forks the monitor proper, which leads a process group of its own and outlives the agent, and ends.
 */
import { rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
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

export const monitor = "conmon";
export const monitorPidFile = "monitor.pid";

/** Characters kept of what conmon writes to standard error. */
const errorTextMax = 64 * 1024;

export interface LaunchOptions {
  /** conmon; the host's own when absent. */
  readonly program?: string | undefined;
  /** With `--conmon-pidfile` of `monitorPidFile` in the bundle. */
  readonly args: readonly string[];
  /** conmon's working directory: it leaves its file about memory there. */
  readonly bundle: string;
  /** Where monitors live, apart from the agent and from the containers. */
  readonly cgroup: HoldingCgroup;
  /** Open files that the command is to find from descriptor 3 on. */
  readonly descriptors?: readonly number[];
  /** conmon says when its socket can be connected to, and waits for a second byte then. */
  readonly attach?: boolean;
}

export interface Launch {
  /** Of conmon's first process. */
  readonly pid: number;
  /** Waits for the end of conmon's first process, which is near once conmon has answered or was killed. */
  readonly reap: () => Promise<unknown>;
  /** conmon's answer, one line; it ends without one when conmon does. */
  readonly syncPipe: Socket;
  /** A byte lets conmon go on. */
  readonly startPipe: Socket;
  /** With `attach`: a line when the socket is there. */
  readonly attachPipe: Socket | undefined;
  readonly errorText: () => string;
  /** Has the monitor moved to where monitors live, unless it has ended. */
  readonly settle: (monitorPid: number) => void;
  /** Lets go of conmon's pipes; the monitor lives on. */
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

/** A process id, or a negative number and the reason. */
const answerSchema = z.object({ data: z.number().int(), message: z.string().optional() });
export type MonitorAnswer = z.infer<typeof answerSchema>;

/**
 * conmon's answer to what it was started for.
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

/** Empty when the pipe ends before. */
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

/** Both of conmon's processes lead a process group; the runtime that it runs is in the second. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

/** Undefined when the monitor proper has not been forked yet. */
export async function findMonitorPid(bundle: string): Promise<number | undefined> {
  return await findPid(join(bundle, monitorPidFile));
}

/** The process id in a file that conmon or the runtime has written; undefined when there is none. */
export async function findPid(path: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(path, "utf8"), 10);
    return pid > 1 ? pid : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

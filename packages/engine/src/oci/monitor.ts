/**
 * conmon, the monitor: one process for each run of a container. It has the OCI runtime create the container, holds its
 * terminal or pipes, writes its output to the journal, and its exit code to a file named by the container's id in the
 * exit directory. It outlives the agent.
 *
 * In the bundle it makes `attach` (socket, SOCK_SEQPACKET), `ctl` and `winsz` (fifos), and `oom` when the kernel killed
 * a process of the container for memory. Socket paths may be longer than 108 bytes: conmon binds them through a
 * directory descriptor, and a client connects from within the bundle.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { Socket } from "node:net";
import { join } from "node:path";

import { withDeadline } from "@podfleet/base/deadline";
import { hasErrno } from "@podfleet/base/errno";
import { invariant } from "@podfleet/base/invariant";
import { PodfleetError } from "@podfleet/model/errors";
import { z } from "zod";

import { sealJournal } from "../journal/seal.ts";
import { traced } from "../trace.ts";
import type { HoldingCgroup } from "./cgroup.ts";
import { findTool, lastLine, runCommand, toolEnvironment } from "./run-command.ts";
import { creationFailure, reasonOf } from "./runtime-failure.ts";
import type { OciRuntime } from "./runtime.ts";

export interface MonitorOptions {
  readonly id: string;
  /** Directory that holds `config.json` once `ready` has resolved. */
  readonly bundle: string;
  /** File that output is appended to. */
  readonly journal: string;
  readonly exitDirectory: string;
  readonly tty: boolean;
  /** Keeps the command's standard input open, also while nobody is attached. */
  readonly stdin: boolean;
  readonly runtime: Pick<OciRuntime, "monitorArguments">;
}

export interface MonitorCreateOptions extends MonitorOptions {
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

const monitor = "conmon";
const createTimeoutMs = 60_000;
/** Characters kept of what conmon writes to standard error. */
const errorTextMax = 64 * 1024;
const monitorPidFile = "monitor.pid";

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
    ...["--container-pidfile", join(options.bundle, "container.pid")],
    ...["--conmon-pidfile", join(options.bundle, monitorPidFile)],
    ...["--exit-dir", options.exitDirectory],
    ...["--log-path", `k8s-file:${options.journal}`],
    ...["--log-level", "warn"],
    "--full-attach",
    ...(options.stdin ? ["--stdin", "--leave-stdin-open"] : []),
    ...(options.tty ? ["--terminal"] : []),
  ];
}

/**
 * Brings a container from nothing to the runtime's state `created`, under a monitor of its own.
 * @throws PodfleetError COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, RUNTIME_FAILED with the runtime's reason, or
 * RUNTIME_TIMEOUT; no monitor is left then, but the runtime may still hold the container
 */
export async function createWithMonitor(options: MonitorCreateOptions): Promise<MonitoredProcess> {
  // Safe to ignore: it is awaited below, perhaps after it has rejected.
  options.ready.catch(() => undefined);
  const attributes = { "podfleet.container.id": options.id, "process.executable.name": monitor };
  return await traced("conmon create", attributes, async () => {
    await sealJournal(options.journal);
    await rm(join(options.bundle, monitorPidFile), { force: true });
    const launch = await launchMonitor(options);
    try {
      return await withDeadline(finishCreation(launch, options), createTimeoutMs, creationTimeout);
    } catch (error) {
      await endMonitor(launch, options.bundle);
      throw error;
    } finally {
      launch.release();
    }
  });
}

interface Launch {
  /** Of conmon's first process, which forks the monitor proper and ends. */
  readonly pid: number;
  readonly exited: Promise<void>;
  /** conmon's answer, one line; it ends without one when conmon does. */
  readonly syncPipe: Socket;
  /** A byte lets conmon go on; its end without one makes conmon give up. */
  readonly startPipe: Socket;
  readonly errorText: () => string;
  /** Lets go of conmon's pipes; the monitor lives on. */
  readonly release: () => void;
}

async function launchMonitor(options: MonitorOptions): Promise<Launch> {
  const child = spawn(findTool(monitor), monitorArguments(options), {
    detached: true,
    // conmon leaves its file about memory in its working directory.
    cwd: options.bundle,
    stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
    env: { ...toolEnvironment, _OCI_SYNCPIPE: "3", _OCI_STARTPIPE: "4" },
  });
  if (child.pid === undefined) {
    const [cause]: unknown[] = await once(child, "error");
    throw new PodfleetError("RUNTIME_FAILED", "Cannot run conmon", { cause });
  }
  const [, , errorPipe, syncPipe, startPipe] = child.stdio;
  invariant(errorPipe instanceof Socket, "conmon's standard error is a pipe");
  invariant(syncPipe instanceof Socket, "conmon's sync pipe is a pipe");
  invariant(startPipe instanceof Socket, "conmon's start pipe is a pipe");
  // Safe to ignore: conmon has ended, and the sync pipe's end without an answer says so.
  startPipe.on("error", () => undefined);
  let errorText = "";
  errorPipe.setEncoding("utf8").on("data", (text: string) => {
    errorText = (errorText + text).slice(-errorTextMax);
  });
  return {
    pid: child.pid,
    exited: new Promise((resolve) => child.once("exit", () => resolve())),
    syncPipe,
    startPipe,
    errorText: () => errorText,
    release: () => [errorPipe, syncPipe, startPipe].forEach((pipe) => pipe.destroy()),
  };
}

async function firstLine(pipe: Socket): Promise<string> {
  let text = "";
  for await (const chunk of pipe.setEncoding("utf8")) {
    text += String(chunk);
    if (text.includes("\n")) break;
  }
  return text.slice(0, text.indexOf("\n") + 1);
}

/** A process id, or a negative number and the reason. */
const answerSchema = z.object({ data: z.number().int(), message: z.string().optional() });

async function finishCreation(
  launch: Launch,
  options: MonitorCreateOptions,
): Promise<MonitoredProcess> {
  options.cgroup.join(launch.pid);
  await options.ready;
  launch.startPipe.end("\0");
  const [line] = await Promise.all([firstLine(launch.syncPipe), launch.exited]);
  if (line === "") {
    const reason = lastLine(launch.errorText()) || "it ended without an answer";
    throw new PodfleetError("RUNTIME_FAILED", `Cannot create the container: conmon: ${reason}`);
  }
  const answer = answerSchema.parse(JSON.parse(line));
  if (answer.data < 0) throw creationFailure(reasonOf(answer.message ?? ""), options.command);
  const monitorPid = await findMonitorPid(options.bundle);
  invariant(monitorPid !== undefined, "conmon has written its pid before its first process ends");
  return { pid: answer.data, monitorPid };
}

async function endMonitor(launch: Launch, bundle: string): Promise<void> {
  const monitorPid = await findMonitorPid(bundle);
  for (const leader of [launch.pid, ...(monitorPid === undefined ? [] : [monitorPid])]) {
    killGroup(leader);
  }
}

/** Both of conmon's processes lead a process group; the runtime that it runs is in the second. */
function killGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL");
  } catch (error) {
    if (!hasErrno(error, "ESRCH")) throw error;
  }
}

async function findMonitorPid(bundle: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(join(bundle, monitorPidFile), "utf8"), 10);
    return pid > 1 ? pid : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

function creationTimeout(): PodfleetError {
  return new PodfleetError(
    "RUNTIME_TIMEOUT",
    `Cannot create the container: the OCI runtime did not finish within ${createTimeoutMs} ms`,
  );
}

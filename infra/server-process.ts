/** Processes of Postgres and nats-server. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { readFile, readlink } from "node:fs/promises";
import { basename } from "node:path";

import { systemClock } from "@podfleet/base/clock";
import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";

/**
 * attached  ends with this process, even when this process is killed
 * detached  outlives this process
 */
export type ServerMode = "attached" | "detached";

export interface ServerCommand {
  /** Absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  readonly mode: ServerMode;
  /** Log file that standard output and standard error are appended to. */
  readonly logPath: string;
  /** User and group to run as; this process's when absent. */
  readonly uid?: number | undefined;
  /** Signal sent to an attached server when this process ends. */
  readonly endSignal: "INT" | "TERM";
}

export interface StartedProcess {
  readonly pid: number;
  /** @returns why the process ended; undefined while it runs */
  readonly exitReason: () => string | undefined;
}

export function spawnServer(command: ServerCommand): StartedProcess {
  const log = openSync(command.logPath, "a", 0o600);
  try {
    const [file, args] =
      command.mode === "detached"
        ? [command.file, command.args]
        : [setpriv, ["--pdeathsig", command.endSignal, "--", command.file, ...command.args]];
    const child = spawn(file, args, {
      stdio: ["ignore", log, log],
      cwd: "/",
      env: {},
      detached: command.mode === "detached",
      ...(command.uid === undefined ? {} : { uid: command.uid, gid: command.uid }),
    });
    child.unref();
    return watchExit(child);
  } finally {
    closeSync(log);
  }
}

/** @throws PodfleetError UNAVAILABLE with the end of the log when the server ends, or is not ready after `timeoutMs` */
export async function waitUntilReady(
  server: StartedProcess,
  command: ServerCommand,
  options: { readonly isReady: () => Promise<boolean>; readonly timeoutMs: number },
): Promise<void> {
  const deadline = Date.now() + options.timeoutMs;
  while (!(await options.isReady())) {
    const ended = server.exitReason();
    if (ended === undefined && Date.now() < deadline) {
      await systemClock.sleep(10);
      continue;
    }
    const reason = ended ?? `not ready within ${options.timeoutMs} ms`;
    const logEnd = (await readFile(command.logPath, "utf8")).trim().split("\n").slice(-3);
    throw new PodfleetError(
      "UNAVAILABLE",
      `Cannot start "${command.file}": ${reason}; its log "${command.logPath}" ends with: ${logEnd.join(" | ")}`,
    );
  }
}

/** Whether process `pid` runs the named program. The check detects a reused pid. */
export async function isRunning(pid: number, programName: string): Promise<boolean> {
  try {
    const path = await readlink(`/proc/${pid}/exe`);
    return basename(path.replace(/ \(deleted\)$/, "")) === programName;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return false;
    throw error;
  }
}

/**
 * Sends `signal` and waits for the end; after `timeoutMs` sends SIGKILL. A process that has ended already is fine.
 * @throws PodfleetError TIMEOUT when not even SIGKILL ends it
 */
export async function stopProcess(
  pid: number,
  programName: string,
  options: { readonly signal: NodeJS.Signals; readonly timeoutMs: number },
): Promise<void> {
  for (const signal of [options.signal, "SIGKILL"] as const) {
    if (!(await isRunning(pid, programName))) return;
    try {
      process.kill(pid, signal);
    } catch (error) {
      if (hasErrno(error, "ESRCH")) return;
      throw error;
    }
    const deadline = Date.now() + options.timeoutMs;
    while (Date.now() < deadline) {
      if (!(await isRunning(pid, programName))) return;
      await systemClock.sleep(5);
    }
  }
  throw new PodfleetError("TIMEOUT", `Process ${pid} (${programName}) does not end`);
}

const setpriv = "/usr/bin/setpriv";

function watchExit(child: ChildProcess): StartedProcess {
  let reason: string | undefined;
  child.once("error", (error) => {
    reason = error.message;
  });
  child.once("exit", (code, signal) => {
    reason = signal === null ? `it ended with exit code ${code}` : `it was ended by ${signal}`;
  });
  return {
    pid: child.pid ?? -1,
    exitReason: () => reason,
  };
}

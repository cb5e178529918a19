/** Processes that outlive set-up. */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, renameSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { SetUpFailure } from "./failure.mjs";
import { logFolder } from "./paths.ts";
import {
  findProcess,
  forgetProcess,
  isRunning,
  type ProcessEntry,
  processVersion,
  recordProcess,
} from "./process-table.ts";

export interface Daemon {
  /** Name in the process table and of the log file. */
  readonly name: string;
  readonly command: readonly string[];
  /** Complete environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Further inputs whose change requires a restart: hash of the program file, id of the namespace. */
  readonly basis: readonly string[];
}

const pollMs = 25;

/**
 * Starts a daemon that does not run, and restarts one that was started from another program file or with other settings.
 */
export async function ensureDaemon(daemon: Daemon): Promise<"running" | "started" | "restarted"> {
  const version = processVersion(daemon.basis, daemon.command, daemon.env);
  const present = findProcess(daemon.name);
  if (present?.version === version) return "running";
  if (present) await endProcess(present);
  startDaemon(daemon, version);
  return present ? "restarted" : "started";
}

function startDaemon(daemon: Daemon, version: string): void {
  const [program = "", ...args] = daemon.command;
  const log = openLog(daemon.name);
  try {
    const child = spawn(program, args, {
      cwd: "/",
      detached: true,
      stdio: ["ignore", log, log],
      env: { ...daemon.env },
    });
    if (child.pid === undefined)
      throw new SetUpFailure(`Cannot run "${program}": check that it is installed`);
    child.unref();
    recordProcess(daemon.name, child.pid, version);
  } finally {
    closeSync(log);
  }
}

/** Ends a process with SIGTERM, and after `graceMs` with SIGKILL. */
export async function endProcess(entry: ProcessEntry, graceMs = 15_000): Promise<void> {
  for (const { signal, waitMs } of [
    { signal: "SIGTERM", waitMs: graceMs },
    { signal: "SIGKILL", waitMs: 5_000 },
  ] as const) {
    if (isRunning(entry)) process.kill(entry.pid, signal);
    const deadlineMs = performance.now() + waitMs;
    while (isRunning(entry) && performance.now() < deadlineMs) await sleep(pollMs);
    if (!isRunning(entry)) return forgetProcess(entry.name);
  }
  throw new SetUpFailure(
    `Process ${entry.pid} (${entry.name}) does not end even on SIGKILL: look at /proc/${entry.pid}/stack, and reboot if the kernel holds it`,
  );
}

/**
 * Waits until `isReady`.
 * @throws SetUpFailure with the last error in its log when the daemon ends, or is not ready after `timeoutMs`
 */
export async function waitUntilReady(
  name: string,
  isReady: () => Promise<boolean>,
  timeoutMs = 30_000,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await isReady())) {
    const ended = findProcess(name) === undefined;
    if (ended || performance.now() > deadlineMs) {
      const what = ended ? "ended during its start" : `is not ready after ${timeoutMs / 1000} s`;
      throw new SetUpFailure(`The ${name} ${what}: ${await lastLogLine(name)}`);
    }
    await sleep(pollMs);
  }
}

/** @returns the last error in a daemon's log, else its last line, and the path of the log */
async function lastLogLine(name: string): Promise<string> {
  const path = logPath(name);
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line.trim() !== "");
  const last = lines.findLast((line) => /error|fatal|cannot/i.test(line)) ?? lines.at(-1) ?? "";
  return `"${messageOf(last).slice(0, 500)}" (whole log: ${path})`;
}

interface LogLine {
  readonly msg?: string;
  readonly err?: { readonly message?: string };
  readonly reason?: string;
}

/** @returns message and reason of a JSON log line; other lines unchanged */
function messageOf(line: string): string {
  try {
    const { msg, err, reason } = JSON.parse(line) as LogLine;
    return [msg, err?.message, reason].filter((text) => text !== undefined).join(": ");
  } catch (error) {
    if (error instanceof SyntaxError) return line;
    throw error;
  }
}

function logPath(name: string): string {
  return join(logFolder, `${name}.log`);
}

/** Opens a new log. The log of the previous run is kept as `.1`. */
function openLog(name: string): number {
  mkdirSync(logFolder, { recursive: true, mode: 0o700 });
  const path = logPath(name);
  if (existsSync(path)) renameSync(path, `${path}.1`);
  return openSync(path, "wx", 0o600);
}

/** Processes that go on running when set-up has ended. */
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
  /** Names it in the process table and its log file. */
  readonly name: string;
  readonly command: readonly string[];
  /** Its whole environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Names what it is started from besides: its bundle, its namespace. */
  readonly basis: readonly string[];
}

const pollMs = 25;

/**
 * Makes sure that `daemon` runs as described: starts it when it does not, and restarts one that was started from something
 * else or with other settings.
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
    if (child.pid === undefined) throw new SetUpFailure(`Cannot run "${program}": is it installed`);
    child.unref();
    recordProcess(daemon.name, child.pid, version);
  } finally {
    closeSync(log);
  }
}

/** Ends a process politely, and by force after `graceMs`. */
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
 * Waits until `isReady`, as long as the daemon lives.
 * @throws SetUpFailure with the end of its log when it ends, or is not ready after `timeoutMs`
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
      const what = ended ? "ended at its start" : `is not ready after ${timeoutMs / 1000} s`;
      throw new SetUpFailure(`The ${name} ${what}: ${await lastWords(name)}`);
    }
    await sleep(pollMs);
  }
}

/** The last error in a daemon's log, or its last line, and where the rest is. */
async function lastWords(name: string): Promise<string> {
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

/** The message of a log line in JSON, with what it says of the reason; another line as it is. */
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

/** Each run has a log of its own; the one before it is kept as `.1`. */
function openLog(name: string): number {
  mkdirSync(logFolder, { recursive: true, mode: 0o700 });
  const path = logPath(name);
  if (existsSync(path)) renameSync(path, `${path}.1`);
  return openSync(path, "wx", 0o600);
}

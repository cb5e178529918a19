/**
 * Table of the processes that set-up has started, in which later runs find them. An entry holds the process's start time and the machine's
 * boot id too, because a pid may be reused.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { z } from "zod";

import { runRoot } from "./paths.ts";

const processEntrySchema = z.object({
  name: z.string(),
  pid: z.number().int().positive(),
  /** Clock ticks from boot to the process's start. */
  startTicks: z.string(),
  bootId: z.string(),
  /** Hash of all inputs of the process; it is outdated when the hash has changed. */
  version: z.string(),
});
export type ProcessEntry = z.infer<typeof processEntrySchema>;

const tablePath = join(runRoot, "processes.json");

/** @returns the processes that still run, in the order of their start */
export function listProcesses(): ProcessEntry[] {
  return readTable().filter(isRunning);
}

/** @returns the process with this name if it runs */
export function findProcess(name: string): ProcessEntry | undefined {
  return listProcesses().find((entry) => entry.name === name);
}

/** Adds a process that has just been started, replacing one of the same name. */
export function recordProcess(name: string, pid: number, version: string): ProcessEntry {
  const entry = { name, pid, startTicks: startTicksOf(pid) ?? "ended", bootId: bootId(), version };
  writeTable([...listProcesses().filter((other) => other.name !== name), entry]);
  return entry;
}

export function forgetProcess(name: string): void {
  writeTable(listProcesses().filter((entry) => entry.name !== name));
}

export function isRunning(entry: ProcessEntry): boolean {
  return entry.bootId === bootId() && startTicksOf(entry.pid) === entry.startTicks;
}

/** @returns the environment that the process was started with */
export function environmentOfProcess(entry: ProcessEntry): Record<string, string> {
  const pairs = readFileSync(`/proc/${entry.pid}/environ`, "utf8").split("\0");
  return Object.fromEntries(
    pairs
      .filter((pair) => pair !== "")
      .map((pair) => {
        const [name = "", ...value] = pair.split("=");
        return [name, value.join("=")];
      }),
  );
}

/** Hashes all inputs of a process. A hash, because settings may hold secrets. */
export function processVersion(...parts: unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function readTable(): ProcessEntry[] {
  try {
    return z.array(processEntrySchema).parse(JSON.parse(readFileSync(tablePath, "utf8")));
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

function writeTable(entries: readonly ProcessEntry[]): void {
  mkdirSync(dirname(tablePath), { recursive: true, mode: 0o755 });
  writeFileSync(tablePath, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
}

/** @returns field 22 of proc_pid_stat(5); undefined when the process has ended */
export function startTicksOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the program's name in parentheses, may contain spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const isZombie = fields[0] === "Z";
    return isZombie ? undefined : fields[19];
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}

function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}

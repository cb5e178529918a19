import { readdirSync, readFileSync } from "node:fs";

import { hasErrno } from "@podfleet/base/errno";

import { findStartTicks, type ProcessIdentity } from "./process-identity.ts";

export interface RunningProcess extends ProcessIdentity {
  readonly argv: readonly string[];
}

/** Lists every process of the host. */
export function listProcesses(): RunningProcess[] {
  return readdirSync("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    const pid = Number(name);
    const argv = readArguments(pid);
    const startTicks = findStartTicks(pid);
    return startTicks === undefined ? [] : [{ pid, startTicks, argv }];
  });
}

/** Reads the process's command line; empty when it has ended. */
export function readArguments(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return [];
    throw error;
  }
}

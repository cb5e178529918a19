/** Reads the limits that containers inherit from the agent. */
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { linuxCapabilities } from "@podfleet/model/container/capability";

import type { CgroupHierarchies } from "../cgroup/cgroup.ts";
import type { CapabilityName, HostLimits, RlimitName } from "../spec/host-limits.ts";

export async function readHostLimits(cgroups: CgroupHierarchies): Promise<HostLimits> {
  const [status, limits, cgroup, filesMax] = await Promise.all([
    readFile("/proc/self/status", "utf8"),
    readFile("/proc/self/limits", "utf8"),
    readFile("/proc/self/cgroup", "utf8"),
    readFile("/proc/sys/fs/nr_open", "utf8"),
  ]);
  const capabilities = parseBoundingSet(status);
  return {
    architecture: process.arch,
    cgroupMode: cgroups.mode,
    capabilities,
    hardLimits: capabilities.includes("SYS_RESOURCE")
      ? { nofile: Number(filesMax) }
      : parseHardLimits(limits),
    limitsSwap: await hasSwapLimit(cgroups, cgroup),
  };
}

/** Reads the agent's bounding set from proc_pid_status(5). */
export function parseBoundingSet(status: string): CapabilityName[] {
  const mask = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  return linuxCapabilities.filter((_name, bit) => (mask >> BigInt(bit)) & 1n);
}

const rlimitLabels: Readonly<Record<RlimitName, string>> = {
  as: "Max address space",
  core: "Max core file size",
  cpu: "Max cpu time",
  data: "Max data size",
  fsize: "Max file size",
  locks: "Max file locks",
  memlock: "Max locked memory",
  msgqueue: "Max msgqueue size",
  nice: "Max nice priority",
  nofile: "Max open files",
  nproc: "Max processes",
  rss: "Max resident set",
  rtprio: "Max realtime priority",
  rttime: "Max realtime timeout",
  sigpending: "Max pending signals",
  stack: "Max stack size",
};

/** Reads hard limits from proc_pid_limits(5); those without a limit are left out. */
export function parseHardLimits(limits: string): HostLimits["hardLimits"] {
  const found = Object.entries(rlimitLabels).flatMap(([name, label]) => {
    const line = limits.split("\n").find((row) => row.startsWith(`${label} `));
    const hard = Number(line?.slice(label.length).trim().split(/\s+/)[1]);
    return Number.isInteger(hard) ? [[name, hard] as const] : [];
  });
  return Object.fromEntries(found);
}

async function hasSwapLimit(cgroups: CgroupHierarchies, ownCgroup: string): Promise<boolean> {
  const legacy = cgroups.legacy.find((hierarchy) => hierarchy.controllers.includes("memory"));
  if (legacy) return await exists(join(legacy.directory, "memory.memsw.limit_in_bytes"));
  const own = /^0::(.*)$/m.exec(ownCgroup)?.[1];
  if (cgroups.unified === undefined || own === undefined) return false;
  return await exists(join(cgroups.unified.directory, own, "memory.swap.max"));
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return false;
    throw error;
  }
}

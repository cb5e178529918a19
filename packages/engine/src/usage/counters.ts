/** How much of the host a container's cgroup uses, and its network namespace. */
import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";

import { hasErrno } from "@podfleet/base/errno";
import type { ContainerUsage } from "@podfleet/model/container/usage";
import type { CgroupHierarchies } from "@podfleet/oci/cgroup/cgroup";

import {
  type ControllerDirectory,
  counterOf,
  findController,
  readCgroupFile,
  readPids,
} from "./cgroup-files.ts";

type CgroupUsage = Omit<ContainerUsage, "at" | "startedAt" | "network">;

/** Reads the counters of the cgroup at `path` below each hierarchy; 0 where the kernel counts nothing. */
export async function readCgroupUsage(
  cgroups: CgroupHierarchies,
  path: string,
): Promise<CgroupUsage> {
  const find = (controller: string) => findController(cgroups, path, controller);
  const [cpu, memory, pidsLimit, block, pids] = await Promise.all([
    readFrom(find("cpuacct"), readCpu),
    readFrom(find("memory"), readMemory),
    readFrom(find("pids"), readPidsLimit),
    readFrom(find("blkio"), readBlock),
    readPids(cgroups, path),
  ]);
  return {
    cpuNanos: cpu ?? 0,
    ...(memory ?? { memoryBytes: 0, memoryLimitBytes: totalmem() }),
    pids: pids.length,
    ...(pidsLimit === undefined ? {} : { pidsLimit }),
    ...(block ?? { blockReadBytes: 0, blockWriteBytes: 0 }),
  };
}

async function readFrom<T>(
  directory: ControllerDirectory | undefined,
  read: (directory: ControllerDirectory) => Promise<T>,
): Promise<T | undefined> {
  return directory && (await read(directory));
}

async function readCpu({ version, path }: ControllerDirectory): Promise<number> {
  if (version === 1) return Number(await readCgroupFile(path, "cpuacct.usage"));
  return counterOf(await readCgroupFile(path, "cpu.stat"), "usage_usec") * 1_000;
}

async function readMemory({ version, path }: ControllerDirectory) {
  const names =
    version === 1
      ? (["memory.usage_in_bytes", "memory.limit_in_bytes", "total_inactive_file"] as const)
      : (["memory.current", "memory.max", "inactive_file"] as const);
  const [used, limit, details] = await Promise.all([
    readCgroupFile(path, names[0]),
    readCgroupFile(path, names[1]),
    readCgroupFile(path, "memory.stat"),
  ]);
  return {
    memoryBytes: Math.max(0, Number(used) - counterOf(details, names[2])),
    memoryLimitBytes: Math.min(limitOf(limit) ?? Number.POSITIVE_INFINITY, totalmem()),
  };
}

async function readPidsLimit({ path }: ControllerDirectory): Promise<number | undefined> {
  return limitOf(await readCgroupFile(path, "pids.max"));
}

/** Reads a limit of cgroup version 2; undefined for `max`, which is no limit. */
function limitOf(text: string): number | undefined {
  return /^\d+$/.test(text.trim()) ? Number(text) : undefined;
}

async function readBlock({ version, path }: ControllerDirectory) {
  if (version === 2) {
    const text = await readCgroupFile(path, "io.stat");
    return {
      blockReadBytes: sum(text, /rbytes=(\d+)/g),
      blockWriteBytes: sum(text, /wbytes=(\d+)/g),
    };
  }
  const text = await readCgroupFile(path, "blkio.throttle.io_service_bytes_recursive");
  return { blockReadBytes: sum(text, / Read (\d+)/g), blockWriteBytes: sum(text, / Write (\d+)/g) };
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
}

/** Sums the interfaces of the process's network namespace; undefined when it has none beside the loopback. */
export async function readNetworkUsage(pid: number): Promise<ContainerUsage["network"]> {
  const text = await readProcessNetwork(pid);
  const interfaces = text
    .split("\n")
    .map((line) => /^\s*([^:]+):\s*(.*)$/.exec(line))
    .flatMap((match) => (match && match[1] !== "lo" ? [(match[2] ?? "").split(/\s+/)] : []));
  if (interfaces.length === 0) return undefined;
  const total = (field: number) =>
    interfaces.reduce((bytes, fields) => bytes + Number(fields[field] ?? 0), 0);
  // Fields of /proc/net/dev (proc_pid_net(5)): the first counts bytes received, the ninth bytes sent.
  return { receivedBytes: total(0), sentBytes: total(8) };
}

async function readProcessNetwork(pid: number): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/net/dev`, "latin1");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EINVAL")) return "";
    throw error;
  }
}

import { readFile } from "node:fs/promises";
import { totalmem } from "node:os";

import { hasErrno } from "@podfleet/base/errno";
import { assertAllowed } from "@podfleet/model/container/state";
import type { ContainerUsage } from "@podfleet/model/container/usage";
import type { ContainerId } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";
import {
  type ControllerDirectory,
  counterOf,
  findController,
  readCgroupFile,
  readPids,
} from "./cgroup-files.ts";

/**
 * What the container's processes use now. It takes no lock.
 * @throws PodfleetError CONTAINER_NOT_FOUND; STATE_INVALID unless it runs or is paused
 */
export async function readUsage(parts: EngineParts, id: ContainerId): Promise<ContainerUsage> {
  const { snapshot, spec } = parts.store.get(id);
  assertAllowed("stats", snapshot);
  const path = `${parts.cgroupParent}/${id}`;
  const [cpu, memory, pids, block, all] = await Promise.all([
    withController(parts, path, { controller: "cpuacct", read: readCpu }),
    withController(parts, path, { controller: "memory", read: readMemory }),
    withController(parts, path, { controller: "pids", read: readPidsLimit }),
    withController(parts, path, { controller: "blkio", read: readBlock }),
    readPids(parts.cgroups, path),
  ]);
  const hasNetwork = spec.networkMode !== "host" && snapshot.pid !== undefined;
  const network = hasNetwork ? await readNetwork(snapshot.pid) : undefined;
  return {
    at: new Date(parts.clock.nowMs()).toISOString(),
    ...(snapshot.startedAt ? { startedAt: snapshot.startedAt } : {}),
    cpuNanos: cpu ?? 0,
    ...(memory ?? { memoryBytes: 0, memoryLimitBytes: totalmem() }),
    pids: all.length,
    ...(pids === undefined ? {} : { pidsLimit: pids }),
    ...(block ?? { blockReadBytes: 0, blockWriteBytes: 0 }),
    ...(network ? { network } : {}),
  };
}

async function withController<T>(
  parts: EngineParts,
  path: string,
  {
    controller,
    read,
  }: {
    readonly controller: string;
    readonly read: (directory: ControllerDirectory) => Promise<T>;
  },
): Promise<T | undefined> {
  const directory = findController(parts.cgroups, path, controller);
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

/** Undefined for none: `max`. */
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

/** Undefined when the process's network namespace has no interface but the loopback. */
async function readNetwork(pid: number | undefined) {
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

async function readProcessNetwork(pid: number | undefined): Promise<string> {
  try {
    return await readFile(`/proc/${pid}/net/dev`, "latin1");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH", "EINVAL")) return "";
    throw error;
  }
}

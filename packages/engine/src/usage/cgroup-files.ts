/** Files of a container's control groups, version 1 and 2. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { hasErrno } from "@podfleet/base/errno";
import { type CgroupHierarchies, cgroupDirectories } from "@podfleet/oci/cgroup/cgroup";

/** The directory in which a cgroup keeps what one controller counts. */
export interface ControllerDirectory {
  readonly version: 1 | 2;
  readonly path: string;
}

/** Finds the directory of `controller` for the cgroup at `path`; undefined when the host has no such controller. */
export function findController(
  cgroups: CgroupHierarchies,
  path: string,
  controller: string,
): ControllerDirectory | undefined {
  const legacy = cgroups.legacy.find(({ controllers }) => controllers.includes(controller));
  if (legacy) return { version: 1, path: join(legacy.directory, path) };
  return cgroups.unified && { version: 2, path: join(cgroups.unified.directory, path) };
}

/** Reads a file of a cgroup; empty when there is none, as the cgroup has gone or the kernel does not count this. */
export async function readCgroupFile(directory: string, name: string): Promise<string> {
  try {
    return await readFile(join(directory, name), "latin1");
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENODEV", "EOPNOTSUPP")) return "";
    throw error;
  }
}

/** Lists the process ids in the cgroup and below it. */
export async function readPids(cgroups: CgroupHierarchies, path: string): Promise<number[]> {
  const found = await Promise.all(cgroupDirectories(cgroups, path).map(pidsBelow));
  return [...new Set(found.flat())].toSorted((a, b) => a - b);
}

async function pidsBelow(directory: string): Promise<number[]> {
  const pids = (await readCgroupFile(directory, "cgroup.procs")).split("\n").filter(Boolean);
  const below = await Promise.all(
    (await childrenOf(directory)).map(async (name) => await pidsBelow(join(directory, name))),
  );
  return [...pids.map(Number), ...below.flat()];
}

async function childrenOf(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return [];
    throw error;
  }
}

/** Reads the value of `key` from lines of the form `key value`; 0 without one. */
export function counterOf(text: string, key: string): number {
  const line = text.split("\n").find((each) => each.startsWith(`${key} `));
  return Number(line?.slice(key.length + 1) ?? 0);
}

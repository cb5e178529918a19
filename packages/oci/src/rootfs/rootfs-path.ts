import type { Stats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { dirname, join } from "node:path/posix";

import { hasErrno } from "@podfleet/base/errno";
import { PodfleetError } from "@podfleet/model/errors";

/** The kernel's bound on symbolic links in one path. */
const linksMax = 40;

/**
 * Finds the host's path of `path` inside `rootfs`. Symbolic links are followed as a process in the container would follow them, so none
 * leads out of `rootfs`; parts that do not exist are kept. Safe only while no process changes the root filesystem.
 */
export async function resolveInRootfs(rootfs: string, path: string): Promise<string> {
  const pending = parts(path);
  let resolved = "/";
  for (let links = 0; pending.length > 0;) {
    const next = join(resolved, pending.shift() ?? "");
    const target = await findLinkTarget(join(rootfs, next));
    if (target === undefined) {
      resolved = next;
      continue;
    }
    links += 1;
    if (links > linksMax) {
      throw new PodfleetError(
        "INVALID_INPUT",
        `Cannot resolve "${path}" in the container's root filesystem: too many symbolic links`,
      );
    }
    resolved = target.startsWith("/") ? "/" : dirname(next);
    pending.unshift(...parts(target));
  }
  return join(rootfs, resolved);
}

export interface FoundInRootfs {
  /** The path on the host. */
  readonly path: string;
  readonly stats: Stats;
}

/** Finds the file that a process in the container would find at `path`; undefined when there is none. */
export async function findInRootfs(
  rootfs: string,
  path: string,
): Promise<FoundInRootfs | undefined> {
  const hostPath = await resolveInRootfs(rootfs, path);
  try {
    return { path: hostPath, stats: await lstat(hostPath) };
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

function parts(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

async function findLinkTarget(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined;
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ENOTDIR")) return undefined;
    throw error;
  }
}

/** The host's cgroup hierarchies. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { PodfleetError } from "@podfleet/model/errors";
import type { cgroupModes } from "@podfleet/model/host";

export type CgroupMode = (typeof cgroupModes)[number];

export interface CgroupHierarchy {
  /** The mount point. */
  readonly directory: string;
  /** Names of its controllers; `name=systemd` for a named hierarchy. */
  readonly controllers: readonly string[];
}

export interface CgroupHierarchies {
  readonly mode: CgroupMode;
  /** The v1 hierarchies; empty on a v2 host. */
  readonly legacy: readonly CgroupHierarchy[];
  /** The v2 tree; absent on a v1 host. */
  readonly unified: CgroupHierarchy | undefined;
}

/** @throws PodfleetError UNSUPPORTED when no cgroup file system is mounted */
export async function readCgroupHierarchies(): Promise<CgroupHierarchies> {
  const mounts = parseCgroupMounts(await readFile("/proc/self/mountinfo", "utf8"));
  const legacy = firstOfEach(
    mounts.flatMap((mount) => (mount.version === 1 ? [mount.hierarchy] : [])),
  );
  const tree = mounts.find((mount) => mount.version === 2)?.hierarchy.directory;
  if (tree === undefined && legacy.length === 0) {
    throw new PodfleetError(
      "UNSUPPORTED",
      "Cannot run containers: no cgroup file system is mounted",
    );
  }
  if (tree === undefined) return { mode: "v1", legacy, unified: undefined };
  const controllers = (await readFile(join(tree, "cgroup.controllers"), "utf8")).trim();
  const unified = { directory: tree, controllers: controllers ? controllers.split(" ") : [] };
  return { mode: legacy.length > 0 ? "hybrid" : "v2", legacy, unified };
}

interface CgroupMount {
  readonly version: 1 | 2;
  readonly hierarchy: CgroupHierarchy;
}

/** Reads the format of proc_pid_mountinfo(5). */
export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split("\n").flatMap((line): CgroupMount[] => {
    const [mount = "", source = ""] = line.split(" - ");
    const directory = mount.split(" ")[4];
    const [type, , superOptions = ""] = source.split(" ");
    if (directory === undefined) return [];
    if (type === "cgroup2") return [{ version: 2, hierarchy: { directory, controllers: [] } }];
    if (type !== "cgroup") return [];
    const controllers = superOptions.split(",").filter((option) => !plainOptions.has(option));
    return [{ version: 1, hierarchy: { directory, controllers } }];
  });
}

/** Keeps the first mount of each hierarchy, which is the host's: CRIU mounts each once more while it works. */
function firstOfEach(hierarchies: readonly CgroupHierarchy[]): CgroupHierarchy[] {
  const known = new Map<string, CgroupHierarchy>();
  for (const hierarchy of hierarchies) {
    const key = hierarchy.controllers.join(",");
    if (!known.has(key)) known.set(key, hierarchy);
  }
  return [...known.values()];
}

const plainOptions = new Set(["rw", "ro", "xattr", "clone_children", "noprefix", "seclabel"]);

/** Lists the directories of the cgroup `path` ("/podfleet/h1/monitors"), one for each hierarchy. */
export function cgroupDirectories(cgroups: CgroupHierarchies, path: string): string[] {
  const hierarchies = [...cgroups.legacy, ...(cgroups.unified ? [cgroups.unified] : [])];
  return hierarchies.map((hierarchy) => join(hierarchy.directory, path));
}

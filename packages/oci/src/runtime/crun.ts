/** Where crun differs from runc. */
import type { CgroupHierarchies } from "../cgroup/cgroup.ts";
import { findTool } from "../process/run-command.ts";
import type { RuntimeLimits } from "../spec/runtime-spec.ts";

/**
 * Builds the invocation of crun at `path`. crun up to 1.8 refuses a hybrid host whose cgroup v2 tree has a controller, though it needs
 * none of it. There it runs in a mount namespace without that tree.
 */
export function crunInvocation(path: string, cgroups: CgroupHierarchies): [string, ...string[]] {
  const { unified } = cgroups;
  if (cgroups.mode !== "hybrid" || unified === undefined || unified.controllers.length === 0) {
    return [path];
  }
  const script = 'umount "$1" && shift && exec "$0" "$@"';
  const shell = ["sh", "-c", script, path, unified.directory];
  return [findTool("unshare"), "--mount", "--propagation", "slave", ...shell];
}

/** Replaces the quota -1, "no limit", which crun up to 1.8 takes for a huge number that the kernel refuses. */
export function withoutNegativeQuota({ cpu, ...others }: RuntimeLimits): RuntimeLimits {
  if (cpu?.quota !== -1) return { ...(cpu && { cpu }), ...others };
  return { cpu: { ...cpu, quota: cpusMax * (cpu.period ?? periodUsDefault) }, ...others };
}

/** More CPUs than any kernel supports. */
const cpusMax = 8192;
const periodUsDefault = 100_000;

/** The flags about what a container may use; `run`, `create` and `update` have them. */
import { flagError, parseCount } from "./flag-error.ts";
import { parseSize } from "./size.ts";

export interface ResourceFlags {
  readonly cpus?: string;
  readonly memory?: string;
  readonly pidsLimit?: string;
  readonly cpuShares?: string;
}

export interface ParsedResources {
  cpus?: number;
  memoryBytes?: number;
  pidsLimit?: number;
  cpuShares?: number;
}

/** Those that are given. As podman has it, 0 is no limit. */
export function parseResources(flags: ResourceFlags): ParsedResources {
  const resources: ParsedResources = {};
  if (flags.cpus !== undefined) resources.cpus = parseCpus(flags.cpus);
  if (flags.memory !== undefined) resources.memoryBytes = parseSize("--memory", flags.memory);
  if (flags.pidsLimit !== undefined) {
    const limit = flags.pidsLimit === "-1" ? "0" : flags.pidsLimit;
    resources.pidsLimit = parseCount("--pids-limit", limit);
  }
  if (flags.cpuShares !== undefined) {
    resources.cpuShares = parseCount("--cpu-shares", flags.cpuShares);
  }
  return resources;
}

function parseCpus(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) {
    throw flagError("--cpus", text, "must be a decimal number of CPUs, such as 1.5");
  }
  return Number(text);
}

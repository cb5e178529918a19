/** Flags for resource limits, which `run`, `create` and `update` have. */
import { parseSize } from "./quantities.ts";
import { flagError, parseCount } from "./values.ts";

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

/** @returns the limits that are given; as with podman, 0 is no limit */
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

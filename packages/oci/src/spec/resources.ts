/** A container's limits in the terms of cgroup v1, as the OCI runtime expects them; it translates them for v2. */
import type { ContainerSpec } from "@podfleet/model/container/spec";

import type { HostLimits } from "./host-limits.ts";
import type { RuntimeLimits, RuntimeResources } from "./runtime-spec.ts";

/** podman's default for the number of processes. */
const pidsLimitDefault = 2048;

export function containerResources(spec: ContainerSpec, host: HostLimits): RuntimeResources {
  const { cpus, cpuShares, memoryBytes, pidsLimit = pidsLimitDefault } = spec.resources;
  const cpu = {
    ...(cpus === undefined ? {} : cpuBandwidth(cpus)),
    ...(cpuShares === undefined ? {} : { shares: cpuShares }),
  };
  return {
    devices: [{ allow: spec.privileged, access: "rwm" }],
    ...(Object.keys(cpu).length > 0 ? { cpu } : {}),
    ...(memoryBytes === undefined ? {} : { memory: memoryLimit(memoryBytes, host) }),
    pids: { limit: pidsLimit },
  };
}

/** Builds the limits for a container that runs: a resource that the spec does not limit is set to no limit. */
export function updatedResources(spec: ContainerSpec, host: HostLimits): RuntimeLimits {
  const { cpus, cpuShares = cpuSharesDefault, memoryBytes } = spec.resources;
  const noMemoryLimit = host.limitsSwap ? { limit: -1, swap: -1 } : { limit: -1 };
  return {
    cpu: {
      ...(cpus === undefined ? { quota: -1, period: periodUs } : cpuBandwidth(cpus)),
      shares: cpuShares,
    },
    memory: memoryBytes === undefined ? noMemoryLimit : memoryLimit(memoryBytes, host),
    pids: containerResources(spec, host).pids,
  };
}

/** The kernel's default weight. */
const cpuSharesDefault = 1024;
const periodUs = 100_000;
const longestPeriodUs = 1_000_000;
/** The smallest quota that the kernel takes. */
const shortestQuotaUs = 1_000;

/** Microseconds of CPU time in each period. A very small quota needs a longer period. */
function cpuBandwidth(cpus: number): { quota: number; period: number } {
  const quota = Math.round(cpus * periodUs);
  if (quota >= shortestQuotaUs) return { quota, period: periodUs };
  const longQuota = Math.max(shortestQuotaUs, Math.round(cpus * longestPeriodUs));
  return { quota: longQuota, period: longestPeriodUs };
}

/** Allows as much swap as memory, as podman does, where the kernel can limit it. */
function memoryLimit(bytes: number, host: HostLimits): { limit: number; swap?: number } {
  return host.limitsSwap ? { limit: bytes, swap: 2 * bytes } : { limit: bytes };
}

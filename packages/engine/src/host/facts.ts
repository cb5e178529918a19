import { readFile } from "node:fs/promises";
import { availableParallelism, machine, release, totalmem } from "node:os";

import type { HostInfo } from "@podfleet/model/host";

import type { CgroupMode } from "../oci/cgroup.ts";
import { monitorVersion } from "../oci/monitor.ts";
import type { OciRuntime } from "../oci/runtime.ts";

/** What an engine knows of its host. `capacity` is all that the machine has. */
export type HostFacts = Pick<
  HostInfo,
  | "kernelVersion"
  | "architecture"
  | "cgroupMode"
  | "runtime"
  | "monitorVersion"
  | "bootId"
  | "capacity"
>;

export async function readHostFacts(
  runtime: OciRuntime,
  host: { readonly cgroupMode: CgroupMode; readonly bootId: string },
): Promise<HostFacts> {
  const [version, monitor] = await Promise.all([runtime.version(), monitorVersion()]);
  return {
    ...host,
    kernelVersion: release(),
    architecture: machine(),
    runtime: { name: runtime.name, version },
    monitorVersion: monitor,
    capacity: { cpuMillis: availableParallelism() * 1000, memoryBytes: totalmem() },
  };
}

/** Changes with each boot (random(4)). */
export async function readBootId(): Promise<string> {
  return (await readFile("/proc/sys/kernel/random/boot_id", "latin1")).trim();
}

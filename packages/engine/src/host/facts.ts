import { readFile } from "node:fs/promises";
import { availableParallelism, machine, release, totalmem } from "node:os";

import type { HostInfo } from "@podfleet/model/host";
import type { CgroupMode } from "@podfleet/oci/cgroup/cgroup";
import { monitorVersion } from "@podfleet/oci/monitor/monitor";
import type { OciRuntime } from "@podfleet/oci/runtime/runtime";

import type { CheckpointSupport } from "./checkpoint-support.ts";

/** What an engine knows of its host. `capacity` is all that the machine has. */
export type HostFacts = Pick<
  HostInfo,
  | "kernelVersion"
  | "architecture"
  | "cgroupMode"
  | "runtime"
  | "monitorVersion"
  | "bootId"
  | "checkpoint"
  | "capacity"
>;

export async function readHostFacts(
  runtime: OciRuntime,
  host: {
    readonly cgroupMode: CgroupMode;
    readonly bootId: string;
    readonly checkpointSupport: Promise<CheckpointSupport>;
  },
): Promise<HostFacts> {
  const [version, monitor, checkpoint] = await Promise.all([
    runtime.version(),
    monitorVersion(),
    host.checkpointSupport,
  ]);
  return {
    cgroupMode: host.cgroupMode,
    bootId: host.bootId,
    checkpoint,
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

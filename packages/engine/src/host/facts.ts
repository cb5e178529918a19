import { readFile } from "node:fs/promises";
import { availableParallelism, machine, release, totalmem } from "node:os";

import type { HostInfo } from "@podfleet/model/host";

import type { CheckpointSupport } from "../checkpoint/support.ts";
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

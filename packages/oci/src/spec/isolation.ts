/** A container's namespaces, and the files of the kernel that are hidden from it. */
import type { ContainerSpec } from "@podfleet/model/container/spec";

import type { HostLimits } from "./host-limits.ts";
import type { RuntimeNamespace } from "./runtime-spec.ts";

/** Lists the namespaces that the container has of its own. */
export function containerNamespaces(spec: ContainerSpec, host: HostLimits): RuntimeNamespace[] {
  const own = ["pid", "ipc", "uts", "mount"] as const;
  return [
    ...own,
    ...(spec.networkMode === "none" ? (["network"] as const) : []),
    ...(host.cgroupMode === "v2" ? (["cgroup"] as const) : []),
  ];
}

/** Paths that a container must not see: kernel memory, keys, timings of other processes, firmware. */
export const maskedPaths = [
  "/proc/acpi",
  "/proc/asound",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/sys/dev/block",
  "/sys/devices/virtual/powercap",
  "/sys/firmware",
  "/sys/fs/selinux",
];

/** Paths that a container may read but not write, as they are about the whole host. */
export const readonlyPaths = [
  "/proc/asound",
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

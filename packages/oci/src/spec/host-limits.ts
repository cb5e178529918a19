import type { linuxCapabilities } from "@podfleet/model/container/capability";
import type { ContainerSpec } from "@podfleet/model/container/spec";

import type { CgroupMode } from "../cgroup/cgroup.ts";

export type CapabilityName = (typeof linuxCapabilities)[number];
export type RlimitName = ContainerSpec["rlimits"][number]["type"];

/** The host's limits for containers: a container never gets more than the agent itself has. */
export interface HostLimits {
  readonly architecture: string;
  readonly cgroupMode: CgroupMode;
  /** The agent's bounding set. */
  readonly capabilities: readonly CapabilityName[];
  /** Bounds on a container's limits: the agent's hard limits, where the agent may not raise them. */
  readonly hardLimits: Partial<Readonly<Record<RlimitName, number>>>;
  /** Whether the kernel can limit memory and swap together. */
  readonly limitsSwap: boolean;
}

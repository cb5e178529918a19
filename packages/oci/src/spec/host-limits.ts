import type { linuxCapabilities } from "@podfleet/model/container/capability";
import type { ContainerSpec } from "@podfleet/model/container/spec";

import type { CgroupMode } from "../cgroup/cgroup.ts";

export type CapabilityName = (typeof linuxCapabilities)[number];
export type RlimitName = ContainerSpec["rlimits"][number]["type"];

/** What the agent may pass on to containers: a container never gets more than the agent itself has. */
export interface HostLimits {
  readonly architecture: string;
  readonly cgroupMode: CgroupMode;
  /** The agent's bounding set. */
  readonly capabilities: readonly CapabilityName[];
  /** What a container's limits can be at most: the agent's hard limits where it may not raise them. */
  readonly hardLimits: Partial<Readonly<Record<RlimitName, number>>>;
  /** The kernel can limit memory and swap together. */
  readonly limitsSwap: boolean;
}

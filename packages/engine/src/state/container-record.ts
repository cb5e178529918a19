import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

/** What the engine keeps about a container's processes beside the snapshot, for itself. */
export const containerProcessesSchema = z.object({
  /** Start times of the snapshot's `pid` and `monitorPid`, in clock ticks since boot: they tell a pid from its reuse. */
  startTicks: z.number().int().optional(),
  monitorStartTicks: z.number().int().optional(),
  /** The operation that is about to let the created process run its command; `ends` when it has nothing to do after that. */
  starting: z.object({ operationId: operationIdSchema, ends: z.boolean() }).optional(),
});
export type ContainerProcesses = z.infer<typeof containerProcessesSchema>;

export interface ContainerRecord {
  readonly spec: ContainerSpec;
  readonly snapshot: ContainerSnapshot;
  readonly processes: ContainerProcesses;
}

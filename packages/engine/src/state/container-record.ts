import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

/** What the engine keeps about a container's processes beside the snapshot, for itself. */
export const containerProcessesSchema = z.object({
  /** Start times of the snapshot's `pid` and `monitorPid`, in clock ticks since boot: they tell a pid from its reuse. */
  startTicks: z.number().int().optional(),
  monitorStartTicks: z.number().int().optional(),
  /**
   * The operation that lets the created process run its command, from `atMs` on; `ends` when that is all that is left for
   * it to do.
   */
  starting: z
    .object({ operationId: operationIdSchema, ends: z.boolean(), atMs: z.number().int() })
    .optional(),
  /** The operation that ends the process by a checkpoint. */
  checkpointing: operationIdSchema.optional(),
  /** The operation that revives the processes of the checkpoint; they may run before the snapshot says so. */
  restoring: operationIdSchema.optional(),
});
export type ContainerProcesses = z.infer<typeof containerProcessesSchema>;
export type StartingMark = NonNullable<ContainerProcesses["starting"]>;

export interface ContainerRecord {
  readonly spec: ContainerSpec;
  readonly snapshot: ContainerSnapshot;
  readonly processes: ContainerProcesses;
}

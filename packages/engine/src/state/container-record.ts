import type { HealthLog } from "@podfleet/model/container/healthcheck";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerSpec } from "@podfleet/model/container/spec";
import { operationIdSchema } from "@podfleet/model/ids";
import { verbSchema } from "@podfleet/model/verb/verbs";
import { z } from "zod";

/** What the engine keeps about a container's processes beside the snapshot, for itself. */
export const containerProcessesSchema = z.object({
  /** Start times of the snapshot's `pid` and `monitorPid`, in clock ticks since boot: they tell a pid from its reuse. */
  startTicks: z.number().int().optional(),
  monitorStartTicks: z.number().int().optional(),
  /** The created process is let run its command, from `atMs` on. */
  starting: z
    .object({
      atMs: z.number().int(),
      /** On whose behalf; absent when the restart policy's alone. */
      operation: z
        .object({
          id: operationIdSchema,
          verb: verbSchema,
          step: z.number().int().optional(),
        })
        .optional(),
      /** The start is all that is left for the operation, or its step, to do. */
      ends: z.boolean(),
      /** By the restart policy, not by a user. */
      byPolicy: z.boolean(),
    })
    .optional(),
  /** The operation that ends the process by a checkpoint. */
  checkpointing: operationIdSchema.optional(),
  /** The operation that has the processes frozen while it copies their files. */
  freezing: operationIdSchema.optional(),
  /** The operation that revives the processes of the checkpoint; they may run before the snapshot says so. */
  restoring: operationIdSchema.optional(),
});
export type ContainerProcesses = z.infer<typeof containerProcessesSchema>;
export type StartingMark = NonNullable<ContainerProcesses["starting"]>;

export interface ContainerRecord {
  readonly spec: ContainerSpec;
  readonly snapshot: ContainerSnapshot;
  readonly processes: ContainerProcesses;
  /** Present once a container with a healthcheck has been started. */
  readonly healthLog?: HealthLog | undefined;
}

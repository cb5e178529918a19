import { z } from "zod";

import { hostIdSchema } from "./ids.ts";
import type { LoopStatus } from "./loop-status.ts";
import { hostNameSchema, labelsSchema } from "./name.ts";
import { capacitySchema } from "./resources.ts";

/**
 * ready         its agent has been heard within the last `hostSilenceMaxMs`
 * unreachable   it has not; its containers may well go on running
 */
export const hostStates = ["ready", "unreachable"] as const;
export type HostState = (typeof hostStates)[number];

/** How often an agent says that it is alive. */
export const heartbeatIntervalMs = 1_000;
/** Silence after which a host counts as unreachable: three heartbeats and a half. */
export const hostSilenceMaxMs = 3_500;

export const cgroupModes = ["v1", "hybrid", "v2"] as const;

/** What an agent says of its host when it connects. */
export const hostInfoSchema = z.object({
  id: hostIdSchema,
  name: hostNameSchema,
  labels: labelsSchema,
  capacity: capacitySchema,
  agentVersion: z.string(),
  kernelVersion: z.string(),
  architecture: z.string(),
  cgroupMode: z.enum(cgroupModes),
  runtime: z.object({ name: z.enum(["runc", "crun"]), version: z.string() }),
  monitorVersion: z.string(),
  /** Whether its containers can be checkpointed and restored (CRIU), and if not, why. */
  checkpoint: z
    .discriminatedUnion("supported", [
      z.object({ supported: z.literal(true), version: z.string() }),
      z.object({ supported: z.literal(false), reason: z.string() }),
    ])
    .optional(),
  /** Changes with each boot of the host. */
  bootId: z.string(),
});
export type HostInfo = z.infer<typeof hostInfoSchema>;

/** A host as the control plane shows it. */
export const hostRecordSchema = z.object({
  ...hostInfoSchema.shape,
  state: z.enum(hostStates),
  lastSeenAt: z.iso.datetime(),
  /** What its containers have reserved. */
  reserved: capacitySchema,
  containers: z.object({
    total: z.number().int().min(0),
    running: z.number().int().min(0),
  }),
});
export type HostRecord = z.infer<typeof hostRecordSchema>;

export interface HostInspection extends HostRecord {
  /** The agent's background work; absent when the agent does not answer. */
  readonly loops?: readonly LoopStatus[];
}

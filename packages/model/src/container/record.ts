/** Containers as the control plane shows them: the fleet's record with the last state that the agent reported. */
import { z } from "zod";

import { hostStates } from "../host.ts";
import { containerIdSchema, hostIdSchema } from "../ids.ts";
import { labelsSchema } from "../name.ts";
import { healthLogSchema } from "./healthcheck.ts";
import { containerSnapshotSchema } from "./snapshot.ts";
import { containerSpecSchema } from "./spec.ts";

const observed = containerSnapshotSchema
  .omit({ id: true, name: true, createdAt: true, state: true })
  .partial();

export const containerSummarySchema = z.object({
  ...observed.shape,
  id: containerIdSchema,
  name: z.string(),
  /** The reference that the spec names. */
  image: z.string(),
  /** Entrypoint and command as the spec gives them; empty when the image's own are used. */
  command: z.array(z.string()),
  labels: labelsSchema,
  host: z.object({ id: hostIdSchema, name: z.string(), state: z.enum(hostStates) }),
  /** `unknown` until the agent has reported it. */
  state: containerSnapshotSchema.shape.state,
  createdAt: z.iso.datetime(),
  /** When the agent was last heard about this container's host, so how old the state may be. */
  observedAt: z.iso.datetime().optional(),
});
export type ContainerSummary = z.infer<typeof containerSummarySchema>;

/** Where what is on the container's host. What can come and go is absent when it is not there. */
export const containerPathsSchema = z.object({
  bundle: z.string(),
  journal: z.string(),
  /** While the root filesystem is mounted. */
  rootfs: z.string().optional(),
  /** The folder of what it can be restored from. */
  checkpoint: z.string().optional(),
  /** CRIU's logs, when they were to be kept. */
  checkpointLog: z.string().optional(),
  restoreLog: z.string().optional(),
});
export type ContainerPaths = z.infer<typeof containerPathsSchema>;

export const containerInspectSchema = z.object({
  ...containerSummarySchema.shape,
  spec: containerSpecSchema,
  revision: z.number().int().min(0),
  /** `agent`: read from the host now. `record`: the host did not answer; this is what it last reported. */
  source: z.enum(["agent", "record"]),
  asOf: z.iso.datetime(),
  /** Present for a container with a healthcheck, when read from the host. */
  healthLog: healthLogSchema.optional(),
  paths: containerPathsSchema.optional(),
});
export type ContainerInspect = z.infer<typeof containerInspectSchema>;

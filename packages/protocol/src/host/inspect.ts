/** `inspect`: the last committed snapshot and spec. It takes no lock, so it answers during an operation on the container. */
import { healthLogSchema } from "@podfleet/model/container/healthcheck";
import { containerPathsSchema } from "@podfleet/model/container/record";
import { containerSnapshotSchema } from "@podfleet/model/container/snapshot";
import { containerSpecSchema } from "@podfleet/model/container/spec";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const inspectRequestSchema = z.object({ containerId: containerIdSchema });
export type InspectRequest = z.infer<typeof inspectRequestSchema>;

export const inspectReplySchema = z.object({
  container: containerSnapshotSchema,
  spec: containerSpecSchema,
  asOf: z.iso.datetime(),
  /** Present for a container with a healthcheck. */
  healthLog: healthLogSchema.optional(),
  paths: containerPathsSchema,
});
export type InspectReply = z.infer<typeof inspectReplySchema>;

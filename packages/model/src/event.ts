import { z } from "zod";

import { containerSnapshotSchema } from "./container/snapshot.ts";
import { eventTypeSchema } from "./event-type.ts";
import { containerIdSchema, hostIdSchema, operationIdSchema } from "./ids.ts";
import { imageSchema } from "./image.ts";
import { operationOutcomeSchema } from "./operation.ts";
import { verbSchema } from "./verb/verbs.ts";

/**
 * One entry of a host's log. `seq` has no gaps. An event that commits a container's state carries the whole snapshot, so
 * a projection needs nothing else; an event that ends an operation carries its outcome, so it arrives even when the
 * reply is lost.
 */
export const agentEventSchema = z.object({
  seq: z.number().int().min(1),
  type: eventTypeSchema,
  time: z.iso.datetime(),
  containerId: containerIdSchema.optional(),
  container: containerSnapshotSchema.optional(),
  image: imageSchema.optional(),
  operation: z
    .object({
      id: operationIdSchema,
      verb: verbSchema,
      /** Which step of a batch it is part of, from 0 on; `verb` is the step's then. */
      step: z.number().int().min(0).optional(),
      /** Present on the event that ends the operation. */
      outcome: operationOutcomeSchema.optional(),
    })
    .optional(),
  /** Further facts for people: the signal of a kill, the exit code of a death. */
  attributes: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
});
export type AgentEvent = z.infer<typeof agentEventSchema>;

/** An event as the control plane shows it. Watchers resume after a `position`. */
export const eventRecordSchema = z.object({
  position: z.number().int().min(1),
  type: eventTypeSchema,
  time: z.iso.datetime(),
  host: z.object({ id: hostIdSchema, name: z.string() }),
  seq: z.number().int().min(1),
  container: z.object({ id: containerIdSchema, name: z.string() }).optional(),
  operationId: operationIdSchema.optional(),
  attributes: agentEventSchema.shape.attributes,
});
export type EventRecord = z.infer<typeof eventRecordSchema>;

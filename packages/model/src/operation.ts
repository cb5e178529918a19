/**
 * An operation is one mutation with an id that its caller chose. It takes effect exactly once:
 *
 *     pending ──sent to the host──▶ dispatched ──outcome known──▶ succeeded | failed
 *        └───────────refused before it was sent───────────────────────────▶ failed
 *
 * The same id with the same request returns the recorded outcome or joins the one under way; with another request it is
 * CONFLICT.
 */
import { z } from "zod";

import { healthResultSchema } from "./container/healthcheck.ts";
import { containerSnapshotSchema } from "./container/snapshot.ts";
import { type WireError, wireErrorSchema } from "./errors.ts";
import { execSessionSchema } from "./exec.ts";
import { containerIdSchema, hostIdSchema, operationIdSchema, traceIdSchema } from "./ids.ts";
import { imageSchema } from "./image.ts";
import { verbSchema } from "./verb/verbs.ts";

export const operationStatuses = ["pending", "dispatched", "succeeded", "failed"] as const;
export type OperationStatus = (typeof operationStatuses)[number];

/** What came of one step of a batch. `skipped`: a step before it failed. */
export const stepResultSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("succeeded"),
    verb: verbSchema,
    /** The container after the step. */
    container: containerSnapshotSchema,
    exec: execSessionSchema.optional(),
  }),
  z.object({ status: z.literal("failed"), verb: verbSchema, error: wireErrorSchema }),
  z.object({ status: z.literal("skipped"), verb: verbSchema }),
]);
export type StepResult = z.infer<typeof stepResultSchema>;

/**
 * What came of it. A container operation carries the container as committed; one that removed it, its last snapshot. A batch has
 * succeeded when each of its steps has; its failure is that of the first that failed.
 */
export const operationOutcomeSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("succeeded"),
    container: containerSnapshotSchema.optional(),
    images: z.array(imageSchema).optional(),
    /** The exec session as the operation left it. */
    exec: execSessionSchema.optional(),
    /** Result of a healthcheck that was run. */
    health: healthResultSchema.optional(),
    /** Results of a batch, one for each step. */
    steps: z.array(stepResultSchema).optional(),
  }),
  z.object({
    status: z.literal("failed"),
    error: wireErrorSchema,
    /** The container as the failure left it. */
    container: containerSnapshotSchema.optional(),
    /** Results of a batch that began. */
    steps: z.array(stepResultSchema).optional(),
  }),
]);
export type OperationOutcome = z.infer<typeof operationOutcomeSchema>;

/** In an error's details: the operation has certainly not reached its host, and never will. */
export const notDelivered = { outcome: "not-delivered" } as const;

/** Whether the error says so: then another operation may be tried instead. */
export function isNotDelivered({ details }: Pick<WireError, "details">): boolean {
  return details?.["outcome"] === notDelivered.outcome;
}

/** An operation as the control plane shows it. */
export const operationRecordSchema = z.object({
  id: operationIdSchema,
  verb: verbSchema,
  status: z.enum(operationStatuses),
  container: z.object({ id: containerIdSchema, name: z.string() }).optional(),
  host: z.object({ id: hostIdSchema, name: z.string() }).optional(),
  /** Name of the API token that asked for it. */
  caller: z.string(),
  traceId: traceIdSchema.optional(),
  error: wireErrorSchema.optional(),
  createdAt: z.iso.datetime(),
  finishedAt: z.iso.datetime().optional(),
});
export type OperationRecord = z.infer<typeof operationRecordSchema>;

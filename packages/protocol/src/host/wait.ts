/**
 * `wait`: a long poll for the end of a run, or for a state. The agent replies when the condition is met, or with `pending` after
 * `timeoutMs`. The caller then asks again with the same `run`, so that it does not miss the end when the container is restarted.
 */
import { containerSnapshotSchema } from "@podfleet/model/container/snapshot";
import { waitConditionSchema } from "@podfleet/model/container/wait";
import { containerIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

export const waitRequestSchema = z.object({
  containerId: containerIdSchema,
  condition: waitConditionSchema,
  /** The run to wait for; absent in the first request, for which the agent chooses it and names it in the reply. */
  run: z.number().int().min(0).optional(),
  timeoutMs: z.number().int().min(0).max(60_000),
});
export type WaitRequest = z.infer<typeof waitRequestSchema>;

export const waitReplySchema = z.discriminatedUnion("state", [
  z.object({
    state: z.literal("met"),
    run: z.number().int().min(0),
    /** The run's exit code; absent when it is unknown or the condition has none. */
    exitCode: z.number().int().optional(),
    exitUnknown: z.boolean(),
    container: containerSnapshotSchema,
  }),
  z.object({ state: z.literal("pending"), run: z.number().int().min(0) }),
]);
export type WaitReply = z.infer<typeof waitReplySchema>;

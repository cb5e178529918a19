import { z } from "zod";

/**
 * When the engine starts a container again whose process has ended, with a delay that doubles from run to run. What a user has
 * stopped or killed stays stopped, also over a reboot, so `always` and `unless-stopped` mean the same.
 */
export const restartPolicySchema = z.discriminatedUnion("name", [
  z.strictObject({ name: z.literal("no") }),
  z.strictObject({
    name: z.literal("on-failure"),
    /** Restarts at most; without a limit when absent. */
    retriesMax: z.number().int().min(1, "must be at least 1").max(1_000_000).optional(),
  }),
  z.strictObject({ name: z.literal("always") }),
  z.strictObject({ name: z.literal("unless-stopped") }),
]);
export type RestartPolicy = z.infer<typeof restartPolicySchema>;

import { z } from "zod";

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

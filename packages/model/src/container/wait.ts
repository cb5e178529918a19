import { z } from "zod";

import { containerSummarySchema } from "./record.ts";
import { containerStateSchema } from "./state.ts";

export const waitConditions = ["exit", "next-exit", "removed"] as const;
/** `exit`: the current run has ended, or none is under way. `next-exit`: a run that had not ended at the first ask. `removed`: it is gone. Or a state. */
export const waitConditionSchema = z.union([z.enum(waitConditions), containerStateSchema]);
export type WaitCondition = z.infer<typeof waitConditionSchema>;

/** How the wait ended. */
export const waitResultSchema = z.object({
  run: z.number().int().min(0),
  /** Absent when it is unknown or the condition has none. */
  exitCode: z.number().int().min(0).max(255).optional(),
  exitUnknown: z.boolean(),
  container: containerSummarySchema,
});
export type WaitResult = z.infer<typeof waitResultSchema>;

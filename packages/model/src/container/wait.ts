import { z } from "zod";

import { containerStateSchema } from "./state.ts";

export const waitConditions = ["exit", "next-exit", "removed"] as const;
/** `exit`: the current run has ended, or none is under way. `next-exit`: a run that had not ended at the first ask. `removed`: it is gone. Or a state. */
export const waitConditionSchema = z.union([z.enum(waitConditions), containerStateSchema]);
export type WaitCondition = z.infer<typeof waitConditionSchema>;

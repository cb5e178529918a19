import { stepResultSchema } from "@podfleet/model/operation";
import { z } from "zod";

/** How far an operation has come, where its next attempt could not tell otherwise. */
export const operationProgressSchema = z.object({
  /** Results of the steps of a batch that have ended. */
  steps: z.array(stepResultSchema).default([]),
  /** The state that a refresh brings the container back to. */
  restores: z
    .object({
      state: z.enum(["configured", "created", "running", "paused"]),
      /** The last run before it. */
      run: z.number().int(),
    })
    .optional(),
});
export type OperationProgress = z.infer<typeof operationProgressSchema>;

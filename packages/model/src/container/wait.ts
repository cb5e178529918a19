import { z } from "zod";

import { containerSummarySchema } from "./record.ts";
import type { ContainerSnapshot } from "./snapshot.ts";
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

/** The run that a wait is for when its caller has named none. */
export function runWaitedFor(
  condition: WaitCondition,
  { state, run }: Pick<ContainerSnapshot, "state" | "run">,
): number {
  const isUnderWay = state === "running" || state === "paused";
  return condition === "next-exit" && !isUnderWay ? run + 1 : run;
}

/** How a condition is met. `exit`: by the end of the run, whose exit code is part of the answer. */
export interface WaitMet {
  readonly by: "exit" | "state";
  readonly run: number;
}

/** Undefined while the condition is not met. `isRemoved`: the snapshot is the last of a container that is gone. */
export function findWaitMet(
  { condition, run }: { readonly condition: WaitCondition; readonly run: number },
  container: Pick<ContainerSnapshot, "state" | "run" | "exitedRun">,
  isRemoved: boolean,
): WaitMet | undefined {
  const { state, exitedRun } = container;
  switch (condition) {
    case "exit":
    case "next-exit": {
      // A container that has never run has no run under way either.
      const hasEnded = exitedRun >= run || (condition === "exit" && run === 0);
      return hasEnded ? { by: "exit", run } : undefined;
    }
    case "removed":
      return isRemoved ? { by: "exit", run: exitedRun } : undefined;
    default: {
      if (isRemoved || state !== condition) return undefined;
      const hasEnded = state === "stopped" || state === "exited";
      return hasEnded ? { by: "exit", run: exitedRun } : { by: "state", run: container.run };
    }
  }
}

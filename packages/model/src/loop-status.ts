import { z } from "zod";

const countSchema = z.number().int().min(0);

/** How a loop of background work fares (base/loop), as agents report it and the API shows it. */
export const loopStatusSchema = z.object({
  name: z.string().max(100),
  /** Runs that have ended. */
  runs: countSchema,
  /** Failed runs since the last that succeeded. */
  failures: countSchema,
  /** How late the next run is, or the end of the run under way; 0 when nothing is late. */
  overdueMs: countSchema,
  /** When the last run that has ended began. */
  lastRunAt: z.iso.datetime().optional(),
  lastDurationMs: countSchema.optional(),
  /** What that run did, in a few numbers. */
  lastResult: z.record(z.string().max(100), z.number()).optional(),
  /** It stays after a success. */
  lastError: z.object({ at: z.iso.datetime(), message: z.string().max(1_000) }).optional(),
});
export type LoopStatus = z.infer<typeof loopStatusSchema>;

/** A loop that is late by more than this is in trouble. */
const overdueMsMax = 10_000;

/** Whether an operator should look at it. */
export function isInTrouble({ failures, overdueMs }: LoopStatus): boolean {
  return failures > 0 || overdueMs > overdueMsMax;
}

export interface FleetLoops {
  /** Loops of the replica that was asked. */
  readonly controlPlane: readonly LoopStatus[];
  /** By host name: loops in trouble, of the hosts that answer and have some. */
  readonly hosts: readonly { readonly name: string; readonly loops: readonly LoopStatus[] }[];
}

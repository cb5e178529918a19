import type { ExecSession } from "@podfleet/model/exec";
import { z } from "zod";

/** The identities of a running session's processes, which only the engine uses. */
export const execProcessesSchema = z.object({
  /** Start times of the session's `pid` and of `monitorPid`, in clock ticks since boot: they tell a pid from its reuse. */
  startTicks: z.number().int().optional(),
  monitorPid: z.number().int().positive().optional(),
  monitorStartTicks: z.number().int().optional(),
});
export type ExecProcesses = z.infer<typeof execProcessesSchema>;

export interface ExecRecord {
  readonly session: ExecSession;
  readonly processes: ExecProcesses;
}

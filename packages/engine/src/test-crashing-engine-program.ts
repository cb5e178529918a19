/**
 * An engine in a process of its own, to be killed on the way: it opens, says "open", performs operations side by side, and
 * ends. With `dieAfter` it kills itself right after the commit of an event of that type, with `dieBeforeCommit` right before its
 * so-manieth commit.
 */
import { writeFileSync, writeSync } from "node:fs";

import { type Clock, systemClock } from "@podfleet/base/clock";
import { actionSchema } from "@podfleet/model/action";
import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { Engine } from "./engine.ts";

const planSchema = z.object({
  options: z.object({
    dataRoot: z.string(),
    runRoot: z.string(),
    cgroupParent: z.string(),
    runtime: z.enum(["runc", "crun"]),
    toolDirectories: z.array(z.string()).readonly().exactOptional(),
    runtimeTimeoutMs: z.number().exactOptional(),
  }),
  requests: z.array(z.object({ operationId: operationIdSchema, action: actionSchema })),
  dieAfter: z.string().optional(),
  /** Counted from 1, since it opened. */
  dieBeforeCommit: z.number().int().optional(),
  /** Gets its process id before it opens. */
  pidFile: z.string().optional(),
});

export type EnginePlan = z.infer<typeof planSchema>;

/** The engine asks it for the time right before each commit. */
class DeadlyClock implements Clock {
  #commits = Number.POSITIVE_INFINITY;

  nowMs(): number {
    if (/#commit\b/.test(new Error("where").stack ?? "")) {
      this.#commits -= 1;
      if (this.#commits === 0) process.kill(process.pid, "SIGKILL");
    }
    return systemClock.nowMs();
  }

  async sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    // oxlint-disable-next-line no-restricted-properties -- it is the engine that sleeps
    await systemClock.sleep(durationMs, signal);
  }

  strikeBefore(commit: number): void {
    this.#commits = commit;
  }
}

const { options, requests, dieAfter, dieBeforeCommit, pidFile } = planSchema.parse(
  JSON.parse(process.argv[2] ?? ""),
);
if (pidFile !== undefined) writeFileSync(pidFile, String(process.pid));
const clock = new DeadlyClock();
const engine = await Engine.open({ ...options, clock });
engine.outbox.onAppend(({ type }) => {
  if (type === dieAfter) process.kill(process.pid, "SIGKILL");
});
if (dieBeforeCommit !== undefined) clock.strikeBefore(dieBeforeCommit);
writeSync(1, "open\n");
await Promise.all(requests.map(async (request) => await engine.perform(request)));
await engine.close();

/**
 * An engine in a process of its own, to be killed on the way: it opens, says "open", performs one operation, says "done". With
 * `dieAfter` it kills itself right after the commit of an event of that type.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeSync } from "node:fs";

import { systemClock } from "@podfleet/base/clock";
import { Engine } from "@podfleet/engine/engine";
import { actionSchema } from "@podfleet/model/action";
import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

const planSchema = z.object({
  options: z.object({
    dataRoot: z.string(),
    runRoot: z.string(),
    cgroupParent: z.string(),
    runtime: z.enum(["runc", "crun"]),
  }),
  request: z.object({ operationId: operationIdSchema, action: actionSchema }),
  dieAfter: z.string().optional(),
});

export type CrashPlan = z.infer<typeof planSchema> & {
  /** From the beginning of the operation to SIGKILL; without it and `dieAfter` the operation is left to end. */
  readonly killAfterMs?: number;
};

/** Resolves when the process has ended. */
export async function performAndCrash({ killAfterMs, ...plan }: CrashPlan): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(plan)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), exited]);
  if (killAfterMs !== undefined) {
    await systemClock.sleep(killAfterMs);
    child.kill("SIGKILL");
  }
  const [code, signal] = await exited;
  if (signal !== "SIGKILL" && code !== 0)
    throw new Error(`The engine's process ended with ${code}`);
}

if (import.meta.main) {
  const { options, request, dieAfter } = planSchema.parse(JSON.parse(process.argv[2] ?? ""));
  const engine = await Engine.open(options);
  const { outbox } = engine;
  outbox.onAppend(() => {
    const [event] = outbox.after(outbox.lastSeq() - 1, 1);
    if (event?.type === dieAfter) process.kill(process.pid, "SIGKILL");
  });
  writeSync(1, "open\n");
  await engine.perform(request);
  await engine.close();
}

/**
 * Run as a process of its own by tests, to be killed: opens an engine, says "open", performs one operation, says
 * "done". With `dieAfter` it kills itself right after the commit of that event about the operation's container.
 */
import { writeSync } from "node:fs";

import { actionSchema } from "@podfleet/model/action";
import { operationIdSchema } from "@podfleet/model/ids";
import { z } from "zod";

import { Engine } from "../engine.ts";

export const crashPlanSchema = z.object({
  options: z.object({
    dataRoot: z.string(),
    runRoot: z.string(),
    cgroupParent: z.string(),
    runtime: z.enum(["runc", "crun"]),
  }),
  request: z.object({ operationId: operationIdSchema, action: actionSchema }),
  dieAfter: z.string().optional(),
});
export type CrashPlan = z.infer<typeof crashPlanSchema>;

if (import.meta.main) {
  const { options, request, dieAfter } = crashPlanSchema.parse(JSON.parse(process.argv[2] ?? ""));
  const engine = await Engine.open(options);
  const { outbox } = engine;
  outbox.onAppend(() => {
    const [event] = outbox.after(outbox.lastSeq() - 1, 1);
    if (event?.type === dieAfter) process.kill(process.pid, "SIGKILL");
  });
  writeSync(1, "open\n");
  await engine.perform(request);
  writeSync(1, "done\n");
  await engine.close();
}

/**
 * An engine in a process of its own, to be killed on the way: it opens, says "open", performs operations side by side, and
 * ends. With `dieAfter` it kills itself right after the commit of an event of that type.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync, writeSync } from "node:fs";

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
    toolDirectories: z.array(z.string()).readonly().exactOptional(),
    runtimeTimeoutMs: z.number().exactOptional(),
  }),
  requests: z.array(z.object({ operationId: operationIdSchema, action: actionSchema })),
  dieAfter: z.string().optional(),
  /** Gets its process id before it opens. */
  pidFile: z.string().optional(),
});

export type CrashPlan = z.infer<typeof planSchema> & {
  /** Called when it has opened; SIGKILL follows when it resolves. Without it and `dieAfter` the operations are left to end. */
  readonly killWhen?: () => Promise<unknown>;
};

/** Resolves when the process has ended. */
export async function performAndCrash({ killWhen, ...plan }: CrashPlan): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(plan)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), exited]);
  if (killWhen) {
    try {
      await killWhen();
    } finally {
      child.kill("SIGKILL");
    }
  }
  const [code, signal] = await exited;
  if (signal !== "SIGKILL" && code !== 0)
    throw new Error(`The engine's process ended with ${code}`);
}

if (import.meta.main) {
  const { options, requests, dieAfter, pidFile } = planSchema.parse(
    JSON.parse(process.argv[2] ?? ""),
  );
  if (pidFile !== undefined) writeFileSync(pidFile, String(process.pid));
  const engine = await Engine.open(options);
  const { outbox } = engine;
  outbox.onAppend(() => {
    const [event] = outbox.after(outbox.lastSeq() - 1, 1);
    if (event?.type === dieAfter) process.kill(process.pid, "SIGKILL");
  });
  writeSync(1, "open\n");
  await Promise.all(requests.map(async (request) => await engine.perform(request)));
  await engine.close();
}

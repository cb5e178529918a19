/**
 * An engine in a process of its own that writes to a command until it is killed: it opens, takes up its session where the
 * session is, and writes what belongs there. `testInput` says what that is.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

import { containerIdSchema, sessionIdSchema } from "@podfleet/model/ids";
import { sessionSpecSchema } from "@podfleet/model/session";
import { SeededRandom } from "@podfleet/testkit/seed";
import { z } from "zod";

import { Engine } from "./engine.ts";

const planSchema = z.object({
  options: z.object({
    dataRoot: z.string(),
    runRoot: z.string(),
    cgroupParent: z.string(),
    runtime: z.enum(["runc", "crun"]),
  }),
  containerId: containerIdSchema,
  sessions: z.array(sessionIdSchema),
  /** Decides how much is written at a time. */
  seed: z.number().int(),
});

export type WritingPlan = z.infer<typeof planSchema>;

/** Bytes of a writer's input from byte `seq` on: they tell whose they are, and each place has its own. Up to four writers. */
export function testInput(writer: number, seq: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0; at < length; at += 1) {
    bytes[at] = writer * 64 + (Math.imul(seq + at, 2_654_435_761) >>> 26);
  }
  return bytes;
}

/** The bytes that are the writer's, in order. */
export function inputOf(writer: number, bytes: Buffer): Buffer {
  return bytes.filter((byte) => byte >>> 6 === writer) as Buffer;
}

const writingMsMax = 40;

/** Resolves when the process, which was killed at a random moment of its writing, has ended. */
export async function writeAndCrash(plan: WritingPlan, random: SeededRandom): Promise<void> {
  const child = spawn(process.execPath, [import.meta.filename, JSON.stringify(plan)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), exited]);
  await random.moment(writingMsMax);
  child.kill("SIGKILL");
  const [code, signal] = await exited;
  if (signal !== "SIGKILL") throw new Error(`The engine's process ended with ${code}`);
}

if (import.meta.main) {
  const { options, containerId, sessions, seed } = planSchema.parse(
    JSON.parse(process.argv[2] ?? ""),
  );
  const random = new SeededRandom(seed);
  const engine = await Engine.open(options);
  const spec = sessionSpecSchema.parse({ input: "shared" });
  const attachments = await Promise.all(
    sessions.map((sessionId) =>
      engine.sessions.open(
        { sessionId, containerId, caller: "writer", spec, resume: false },
        { headroom: 0, onChange: () => undefined, onEnd: () => process.exit(3) },
      ),
    ),
  );
  writeSync(1, "open\n");
  for (;;) {
    for (const [writer, { input }] of attachments.entries()) {
      const { seq, limit } = input?.position() ?? { seq: 0, limit: 0 };
      const length = Math.min(limit - seq, random.below(4_096));
      input?.write(seq, testInput(writer, seq, length));
    }
    await setImmediate();
  }
}

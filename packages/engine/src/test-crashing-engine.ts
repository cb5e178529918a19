/** Engines that are killed on the way. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

import { systemClock } from "@podfleet/base/clock";

import { ensureBundle } from "../../../scripts/build.ts";
import type { EnginePlan } from "./crashing-engine-program.ts";

export type CrashPlan = EnginePlan & {
  /** Called when it has opened; SIGKILL follows when it resolves. Without any moment to die at, the operations are left to end. */
  readonly killWhen?: () => Promise<unknown>;
  /** SIGKILL follows so long after it has opened. */
  readonly killAfterMs?: number;
};

/** Resolves when the process has ended: with whether it was killed. */
export async function performAndCrash({
  killAfterMs,
  killWhen = killAfterMs === undefined ? undefined : afterMs(killAfterMs),
  ...plan
}: CrashPlan): Promise<boolean> {
  program ??= ensureProgram();
  const child = spawn(process.execPath, [await program, JSON.stringify(plan)], {
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
  return signal === "SIGKILL";
}

function afterMs(durationMs: number): () => Promise<void> {
  return async () => await systemClock.sleep(durationMs);
}

/** The bundle's path. From its sources the program would start seven times as slowly. */
let program: Promise<string> | undefined;

async function ensureProgram(): Promise<string> {
  const folder = join(import.meta.dirname, "..");
  await ensureBundle(join(import.meta.dirname, "crashing-engine-program.ts"), {
    folder,
    asset: "packages/engine/migrations",
  });
  return join(folder, "dist/main.mjs");
}

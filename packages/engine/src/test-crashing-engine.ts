/** For tests: engines that are killed on the way. */
import { join } from "node:path";

import { bundleProgram, type Crash, runAndCrash } from "@podfleet/testkit/crashing-program";

import type { EnginePlan } from "./test-crashing-engine-program.ts";

export type CrashPlan = EnginePlan & Crash;

/** Resolves when the process has ended: with whether it was killed. */
export async function performAndCrash({
  killAfterMs,
  killWhen,
  ...plan
}: CrashPlan): Promise<boolean> {
  program ??= bundleProgram(
    join(import.meta.dirname, "test-crashing-engine-program.ts"),
    "packages/engine/migrations",
  );
  return await runAndCrash(await program, plan, { killAfterMs, killWhen });
}

/** The bundle's path. */
let program: Promise<string> | undefined;

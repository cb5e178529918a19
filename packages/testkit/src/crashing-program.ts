/** Programs that are killed on the way. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename, dirname, join } from "node:path";

import { systemClock } from "@podfleet/base/clock";

import { ensureBundle } from "../../../scripts/build.ts";

export interface Crash {
  /** Called when the program has said that it is ready; SIGKILL follows when it resolves. Without any moment to die at, it is left to end. */
  readonly killWhen?: (() => Promise<unknown>) | undefined;
  /** SIGKILL follows so long after it was ready. */
  readonly killAfterMs?: number | undefined;
}

/**
 * Runs a program with `plan` as its argument, as JSON. It says by its first output that it is ready.
 * @returns whether it was killed, once it has ended
 */
export async function runAndCrash(
  program: string,
  plan: object,
  { killAfterMs, killWhen = killAfterMs === undefined ? undefined : afterMs(killAfterMs) }: Crash,
): Promise<boolean> {
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], {
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
  if (signal !== "SIGKILL" && code !== 0) {
    throw new Error(`${basename(program)} ended with ${code}`);
  }
  return signal === "SIGKILL";
}

/**
 * Bundles a program, as from its sources it would start several times as slowly.
 * @param source in the folder `src` of its package
 * @param asset a folder that it reads, from the repository's root
 * @returns the bundle's path
 */
export async function bundleProgram(source: string, asset: string): Promise<string> {
  const folder = join(dirname(source), "..");
  await ensureBundle(source, { folder, asset });
  return join(folder, "dist/main.mjs");
}

function afterMs(durationMs: number): () => Promise<void> {
  return async () => await systemClock.sleep(durationMs);
}

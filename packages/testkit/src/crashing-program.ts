/** Runs programs and kills them at random moments. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { basename, dirname, join } from "node:path";

import { systemClock } from "@podfleet/base/clock";

import { ensureBundle } from "../../../scripts/build.ts";

export interface Crash {
  /** Called when the program is ready; SIGKILL follows when it resolves. Without any time to kill it, the program runs to its end. */
  readonly killWhen?: (() => Promise<unknown>) | undefined;
  /** The time from ready to SIGKILL. */
  readonly killAfterMs?: number | undefined;
}

/**
 * Runs a program with `plan` as its argument, as JSON. Its first output means that it is ready.
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
 * Bundles a program into one file, which starts several times faster than its sources.
 * @param source in the folder `src` of its package
 * @param asset a folder that it reads, from the repository's root
 * @returns the program file's path
 */
export async function bundleProgram(source: string, asset: string): Promise<string> {
  const folder = join(dirname(source), "..");
  await ensureBundle(source, { folder, asset });
  return join(folder, "dist/main.mjs");
}

function afterMs(durationMs: number): () => Promise<void> {
  return async () => await systemClock.sleep(durationMs);
}

import { readdir, rm } from "node:fs/promises";

import { execIdSchema } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";
import type { HostContinuity } from "../container/reconcile.ts";

/**
 * Takes up the sessions that an earlier engine left running. Those that were being started are left to the operation that
 * starts them. What sessions needed that are over, and an earlier engine had no time to remove, goes.
 */
export async function recoverExecs(parts: EngineParts, continuity: HostContinuity): Promise<void> {
  for (const { session } of parts.execs.list()) {
    if (session.state !== "running") continue;
    if (continuity === "same") parts.execWatcher.watch(session.id);
    else await parts.execWatcher.lose(session.id);
  }
  await removeStaleBundles(parts);
}

async function removeStaleBundles({ execs, paths }: EngineParts): Promise<void> {
  for (const id of execIdSchema.array().parse(await readdir(paths.execBundles))) {
    const state = execs.find(id)?.session.state;
    if (state !== "running" && state !== "created") {
      await rm(paths.execBundle(id), { recursive: true, force: true });
    }
  }
}

import { rm } from "node:fs/promises";

import { execIdSchema } from "@podfleet/model/ids";

import type { HostContinuity } from "../container/reconcile.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import { idsIn } from "../host/entries.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { ExecWatcher } from "./exec-watcher.ts";

export interface ExecRecoveryParts {
  readonly execs: Pick<ExecStore, "find" | "list">;
  readonly execWatcher: Pick<ExecWatcher, "lose" | "watch">;
  readonly paths: Pick<EnginePaths, "execBundle" | "execBundles">;
}

/**
 * Takes up the sessions that an earlier engine left running, and removes the bundles of sessions that have ended. A session that was
 * being started is left to the operation that starts it.
 */
export async function recoverExecs(
  { execs, execWatcher, paths }: ExecRecoveryParts,
  continuity: HostContinuity,
): Promise<void> {
  for (const { session } of execs.list()) {
    if (session.state !== "running") continue;
    if (continuity === "same") execWatcher.watch(session.id);
    else await execWatcher.lose(session.id);
  }
  for (const id of await idsIn(paths.execBundles, execIdSchema)) {
    const state = execs.find(id)?.session.state;
    if (state !== "running" && state !== "created") {
      await rm(paths.execBundle(id), { recursive: true, force: true });
    }
  }
}

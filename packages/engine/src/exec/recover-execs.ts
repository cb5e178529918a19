import type { EngineParts } from "../container/engine-parts.ts";
import type { HostContinuity } from "../container/reconcile.ts";

/**
 * Takes up the sessions that an earlier engine left running. Those that were being started are left to the operation that
 * starts them.
 */
export async function recoverExecs(parts: EngineParts, continuity: HostContinuity): Promise<void> {
  for (const { session } of parts.execs.list()) {
    if (session.state !== "running") continue;
    if (continuity === "same") parts.execWatcher.watch(session.id);
    else await parts.execWatcher.lose(session.id);
  }
}

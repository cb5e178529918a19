import type { ContainerId } from "@podfleet/model/ids";

import type { ExecStore } from "../state/exec-store.ts";
import type { ExecWatcher } from "./exec-watcher.ts";

export interface ExecEnding {
  readonly execs: Pick<ExecStore, "listOf">;
  readonly execWatcher: Pick<ExecWatcher, "end">;
}

/** Their processes end with the container's first one; the monitors need a moment to write out the output and the exit codes. */
const graceMs = 5_000;

/** Resolves when the end of each exec session of the container is on record. For a container whose process has ended. */
export async function endExecs({ execs, execWatcher }: ExecEnding, id: ContainerId): Promise<void> {
  const running = execs.listOf(id).filter(({ session }) => session.state === "running");
  await Promise.all(running.map(({ session }) => execWatcher.end(session.id, graceMs)));
}

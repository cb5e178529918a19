import type { ContainerId } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";

/** Their processes end with the container's first one; the monitors need a moment to write out the output and the exit codes. */
const graceMs = 5_000;

/** Resolves when the end of each exec session of the container is on record. For a container whose process has ended. */
export async function endExecs(parts: EngineParts, id: ContainerId): Promise<void> {
  const running = parts.execs.listOf(id).filter(({ session }) => session.state === "running");
  await Promise.all(running.map(({ session }) => parts.execWatcher.end(session.id, graceMs)));
}

import { readdir, rm } from "node:fs/promises";

import type { ExecSession } from "@podfleet/model/exec";
import { execIdSchema } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";

/** How long a session that has ended can be asked about at most. */
const keptMs = 24 * 60 * 60 * 1_000;
/** How many of a container's ended sessions are kept for that long; of the others, those who started them get this time. */
const keptCount = 64;
const spareMs = 2 * 60_000;

export interface PruneOptions {
  readonly nowMs: number;
  /** Whether what the container has written can still be read, though it may have been removed. */
  readonly isReadable: (id: ExecSession["containerId"]) => boolean;
}

/** Drops ended sessions that have been kept long enough, with their output, and output that belongs to no session. */
export async function pruneExecs(
  { execs, paths }: Pick<EngineParts, "execs" | "paths">,
  { nowMs, isReadable }: PruneOptions,
): Promise<void> {
  const ended = execs.list().filter(({ session }) => session.state === "exited");
  const byContainer = Map.groupBy(ended, ({ session }) => session.containerId);
  for (const [containerId, records] of byContainer) {
    for (const [position, { session }] of records.entries()) {
      const ageMs = nowMs - Date.parse(session.finishedAt ?? session.createdAt);
      const isSpare = position < records.length - keptCount;
      const limitMs = isSpare ? spareMs : keptMs;
      if (ageMs > limitMs || !isReadable(containerId)) execs.forget(session.id);
    }
  }
  for (const id of execIdSchema.array().parse(await readdir(paths.execs))) {
    if (!execs.find(id)) await rm(paths.exec(id), { recursive: true, force: true });
  }
}

import { rm } from "node:fs/promises";

import { attemptAll } from "@podfleet/base/attempt-all";
import { type ContainerId, execIdSchema } from "@podfleet/model/ids";

import type { EnginePaths } from "../host/engine-paths.ts";
import { idsIn } from "../host/entries.ts";
import type { ExecStore } from "../state/exec-store.ts";

/** The longest that an ended session is kept. */
const keptMs = 24 * 60 * 60 * 1_000;
/** The number of ended sessions of a container that are kept for that long; older ones are kept for `surplusKeptMs`. */
const keptCount = 64;
const surplusKeptMs = 2 * 60_000;

export interface ExecPruningParts {
  readonly execs: Pick<ExecStore, "find" | "forget" | "list">;
  readonly paths: Pick<EnginePaths, "exec" | "execs">;
}

export interface ExecPruningOptions {
  readonly nowMs: number;
  /** Tells whether the container's output can still be read, though the container may have been removed. */
  readonly isReadable: (id: ContainerId) => boolean;
  /** Called with the path of each entry of the directory that is no session's output. */
  readonly onForeign: (path: string) => void;
}

/** Forgets ended sessions that have been kept long enough, and removes output that belongs to no session. */
export async function pruneExecs(
  { execs, paths }: ExecPruningParts,
  { nowMs, isReadable, onForeign }: ExecPruningOptions,
): Promise<void> {
  const ended = execs.list().filter(({ session }) => session.state === "exited");
  const byContainer = Map.groupBy(ended, ({ session }) => session.containerId);
  for (const [containerId, records] of byContainer) {
    for (const [position, { session }] of records.entries()) {
      const ageMs = nowMs - Date.parse(session.finishedAt ?? session.createdAt);
      const isSurplus = position < records.length - keptCount;
      const limitMs = isSurplus ? surplusKeptMs : keptMs;
      if (ageMs > limitMs || !isReadable(containerId)) execs.forget(session.id);
    }
  }
  const ids = await idsIn(paths.execs, execIdSchema, onForeign);
  const gone = ids.filter((id) => !execs.find(id));
  await attemptAll(
    gone,
    async (id) => await rm(paths.exec(id), { recursive: true, force: true }),
    4,
  );
}

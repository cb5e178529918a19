import type { Journal } from "@podfleet/journal/retention/retention";

import type { EnginePaths } from "../host/engine-paths.ts";
import { hasProcess } from "../state/container-process.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { StateStore } from "../state/state-store.ts";

export interface GrowingJournalSources {
  readonly execs: Pick<ExecStore, "list">;
  readonly paths: Pick<EnginePaths, "execJournal" | "journal">;
  readonly store: Pick<StateStore, "list">;
}

/** Lists the journals that monitors write to. */
export function growingJournals({ execs, paths, store }: GrowingJournalSources): Journal[] {
  const running = store.list().filter(({ snapshot }) => hasProcess(snapshot));
  const sessions = execs.list().filter(({ session }) => session.state === "running");
  return [
    ...running.map(({ snapshot: { id } }) => ({ id, path: paths.journal(id) })),
    ...sessions.map(({ session: { id } }) => ({ id, path: paths.execJournal(id) })),
  ];
}

import type { Journal } from "@podfleet/journal/retention/retention";

import type { EngineParts } from "../container/engine-parts.ts";
import { hasProcess } from "../state/container-process.ts";

/** The journals that monitors write to. */
export function growingJournals({
  execs,
  paths,
  store,
}: Pick<EngineParts, "execs" | "paths" | "store">): Journal[] {
  const running = store.list().filter(({ snapshot }) => hasProcess(snapshot));
  const sessions = execs.list().filter(({ session }) => session.state === "running");
  return [
    ...running.map(({ snapshot: { id } }) => ({ id, path: paths.journal(id) })),
    ...sessions.map(({ session: { id } }) => ({ id, path: paths.execJournal(id) })),
  ];
}

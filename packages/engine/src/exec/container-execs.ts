import type { ContainerId, ExecId } from "@podfleet/model/ids";
import { identityOf, isAlive } from "@podfleet/oci/process/process-identity";

import type { ContainerExecs } from "../container/container-execs.ts";
import type { ExecRecord } from "../state/exec-record.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { ExecWatcher } from "./exec-watcher.ts";

/** The longest that monitors may take to write the output and the exit codes of processes that ended with their container's. */
const graceMs = 5_000;

/** The port of container/ over the sessions that `execs` holds. */
export function containerExecs(
  execs: Pick<ExecStore, "listOf">,
  watcher: Pick<ExecWatcher, "end">,
): ContainerExecs {
  const runningOf = (id: ContainerId): readonly ExecId[] =>
    execs
      .listOf(id)
      .filter(({ session }) => session.state === "running")
      .map(({ session }) => session.id);
  return {
    runningOf,
    findAliveOf: (id) => execs.listOf(id).find(isCommandAlive)?.session.id,
    endAllOf: async (id) => {
      await Promise.all(runningOf(id).map((execId) => watcher.end(execId, graceMs)));
    },
  };
}

function isCommandAlive({ session, processes }: ExecRecord): boolean {
  const process = identityOf(session.pid, processes.startTicks);
  return session.state === "running" && process !== undefined && isAlive(process);
}

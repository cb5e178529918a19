import type { ExecId } from "@podfleet/model/ids";
import type { MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { findStartTicks } from "@podfleet/oci/process/process-identity";

import type { EngineParts } from "../container/engine-parts.ts";
import type { CommitNote } from "../state/state-store.ts";

/** Commits that the command runs, created → running, with what `note` says, and watches for its end. */
export function commitExecStarted(
  parts: EngineParts,
  id: ExecId,
  options: Pick<CommitNote, "operation" | "ends"> & { readonly process: MonitoredProcess },
): void {
  const { process, ...note } = options;
  const { pid, monitorPid } = process;
  const processes = {
    startTicks: findStartTicks(pid),
    monitorPid,
    monitorStartTicks: findStartTicks(monitorPid),
  };
  const startedAt = new Date(parts.clock.nowMs()).toISOString();
  parts.execs.update(
    id,
    { state: "running", pid, startedAt, processes },
    { event: "exec.start", ...note },
  );
  parts.execWatcher.watch(id);
}

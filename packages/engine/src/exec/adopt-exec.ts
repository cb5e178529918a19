import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession } from "@podfleet/model/exec";
import { findExecPids, isExecDescribed } from "@podfleet/oci/monitor/exec-monitor";
import {
  endProcess,
  findStartTicks,
  identityOf,
  isAlive,
} from "@podfleet/oci/process/process-identity";

import type { EngineParts } from "../container/engine-parts.ts";
import type { CommitNote } from "../state/state-store.ts";
import { commitExecStarted } from "./exec-run.ts";

/** How long a monitor that an earlier engine left is given to have its command run. */
const startTimeoutMs = 5_000;
const endTimeoutMs = 5_000;
const pollMs = 20;

/**
 * Takes over a session that an earlier engine was about to start: its monitor has gone on without it. Commits the session as running, with
 * what `note` says. False when the command has certainly not run.
 * @throws PodfleetError INTERRUPTED when nobody can tell whether it has; the session has ended then, and how is unknown
 */
export async function adoptExecLocked(
  parts: EngineParts,
  { id, containerId }: ExecSession,
  note: Pick<CommitNote, "operation" | "ends">,
): Promise<boolean> {
  const bundle = parts.paths.execBundle(id);
  const process = await findProcess(parts, bundle);
  if (process) {
    commitExecStarted(parts, id, { ...note, process });
    return true;
  }
  if (!(await isExecDescribed(bundle))) return false;
  const finishedAt = new Date(parts.clock.nowMs()).toISOString();
  parts.execs.update(
    id,
    { state: "exited", exitUnknown: true, finishedAt },
    { event: "exec.died", attributes: { exitUnknown: true }, operation: note.operation },
  );
  throw new PodfleetError(
    "INTERRUPTED",
    `Cannot tell whether exec session "${id}" has run its command: the agent ended meanwhile`,
    { details: { containerId, execId: id } },
  );
}

/** A monitor that has not had its command run in time is ended. */
async function findProcess({ clock }: EngineParts, bundle: string) {
  const deadlineMs = clock.nowMs() + startTimeoutMs;
  for (;;) {
    const { pid, monitorPid } = await findExecPids(bundle);
    if (pid !== undefined && monitorPid !== undefined) return { pid, monitorPid };
    const monitor = identityOf(monitorPid, monitorPid && findStartTicks(monitorPid));
    if (!monitor || !isAlive(monitor)) return undefined;
    if (clock.nowMs() >= deadlineMs) {
      await endProcess(monitor, endTimeoutMs, clock);
      return undefined;
    }
    await clock.sleep(pollMs);
  }
}

import { wholeJournalLength } from "@podfleet/journal/record/whole-length";
/** The two ends of a run, as commits. */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerId } from "@podfleet/model/ids";

import { initialHealth } from "../health/verdict.ts";
import type { OperationRef, SnapshotChanges } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";
import type { ExitRecord } from "./exit-watcher.ts";
import { wasOutOfMemory } from "./out-of-memory.ts";
import { type EndedRun, planRestart } from "./restart-plan.ts";

/** Commits that the created process runs the command: created → running. Ends the start that was marked beforehand. */
export function commitStartedLocked(parts: EngineParts, id: ContainerId): void {
  const { snapshot, spec, processes } = parts.store.get(id);
  const { starting, ...identities } = processes;
  const restarts = starting?.byPolicy
    ? { restartCount: snapshot.restartCount + 1 }
    : { restartCount: 0, restartDelayMs: undefined };
  parts.store.update(
    id,
    {
      state: "running",
      run: snapshot.run + 1,
      startedAt: new Date(starting?.atMs ?? parts.clock.nowMs()).toISOString(),
      stoppedByUser: false,
      error: undefined,
      ...restarts,
      restartAt: undefined,
      ...(spec.healthcheck ? initialHealth : {}),
      processes: identities,
    },
    {
      event: "container.start",
      operation: starting?.operation,
      ends: starting?.ends ? "succeeded" : undefined,
    },
  );
}

export interface EndOfRun {
  readonly exit: ExitRecord;
  readonly operation?: OperationRef | undefined;
  readonly stoppedByUser?: boolean;
}

/** An end of which nobody can say how it was. */
export function unknownExit(parts: EngineParts): ExitRecord {
  return { exitCode: undefined, atMs: parts.clock.nowMs() };
}

/**
 * Commits that the process has ended: created, running, paused → stopped; and when the restart policy starts it again. It
 * wakes those who wait for the run's exit.
 */
export function commitExitLocked(parts: EngineParts, id: ContainerId, end: EndOfRun): void {
  // Marked as starting, and ended: it may have run the command, so it counts as a run.
  if (parts.store.get(id).processes.starting) commitStartedLocked(parts, id);
  const { snapshot, spec, processes } = parts.store.get(id);
  const isByUser = end.stoppedByUser || processes.checkpointing !== undefined;
  const stoppedByUser = snapshot.stoppedByUser || isByUser;
  const ran = snapshot.state !== "created";
  const restart =
    ran && !stoppedByUser
      ? planRestart(spec.restartPolicy, endedRun(snapshot, end.exit))
      : undefined;
  const exit = ran ? exitChanges(parts, snapshot, end.exit) : {};
  parts.store.update(
    id,
    {
      ...exit,
      // What a monitor writes comes before the exit that it reports, and the next run appends after this commit.
      ...(ran ? { outputEnd: wholeJournalLength(parts.paths.journal(id)) } : {}),
      ...restart,
      stoppedByUser,
      state: "stopped",
      pid: undefined,
      monitorPid: undefined,
      processes: {},
    },
    {
      event: "container.died",
      attributes: ran ? exitAttributes(exit) : {},
      operation: end.operation,
    },
  );
  if (restart) parts.restartLater(id);
}

function endedRun(
  { startedAt, restartCount, restartDelayMs }: ContainerSnapshot,
  { exitCode, atMs }: ExitRecord,
): EndedRun {
  const beganMs = startedAt === undefined ? atMs : Date.parse(startedAt);
  return { exitCode, atMs, ranMs: atMs - beganMs, restartCount, restartDelayMs };
}

function exitChanges(
  parts: EngineParts,
  { id, run }: ContainerSnapshot,
  { exitCode, atMs }: ExitRecord,
): SnapshotChanges {
  return {
    exitedRun: run,
    exitCode,
    exitUnknown: exitCode === undefined,
    finishedAt: new Date(atMs).toISOString(),
    oomKilled: wasOutOfMemory(parts.paths.bundle(id)),
  };
}

function exitAttributes({
  exitCode,
  oomKilled,
}: SnapshotChanges): Record<string, number | boolean> {
  return {
    ...(exitCode === undefined ? { exitUnknown: true } : { exitCode }),
    ...(oomKilled ? { oomKilled } : {}),
  };
}

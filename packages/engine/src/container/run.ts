/** The two ends of a run, as commits. */
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerId } from "@podfleet/model/ids";

import type { OperationRef, SnapshotChanges } from "../state/state-store.ts";
import type { EngineParts } from "./engine-parts.ts";
import type { ExitRecord } from "./exit-watcher.ts";
import { wasOutOfMemory } from "./out-of-memory.ts";

/** Commits that the created process runs the command: created → running. Ends the start that was marked beforehand. */
export function commitStartedLocked(parts: EngineParts, id: ContainerId): void {
  const { snapshot, processes } = parts.store.get(id);
  const { starting, ...identities } = processes;
  parts.store.update(
    id,
    {
      state: "running",
      run: snapshot.run + 1,
      startedAt: new Date(starting?.atMs ?? parts.clock.nowMs()).toISOString(),
      stoppedByUser: false,
      error: undefined,
      processes: identities,
    },
    {
      event: "container.start",
      operation: starting && { id: starting.operationId, verb: "container.start" },
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

/** Commits that the process has ended: created, running, paused → stopped. It wakes those who wait for the run's exit. */
export function commitExitLocked(parts: EngineParts, id: ContainerId, end: EndOfRun): void {
  // Marked as starting, and ended: it may have run the command, so it counts as a run.
  if (parts.store.get(id).processes.starting) commitStartedLocked(parts, id);
  const { snapshot, processes } = parts.store.get(id);
  const isByUser = end.stoppedByUser || processes.checkpointing !== undefined;
  const ran = snapshot.state !== "created";
  parts.store.update(
    id,
    {
      ...(ran ? exitChanges(parts, snapshot, end.exit) : {}),
      ...(isByUser ? { stoppedByUser: true } : {}),
      state: "stopped",
      pid: undefined,
      monitorPid: undefined,
      processes: {},
    },
    {
      event: "container.died",
      attributes: ran ? exitAttributes(end.exit) : {},
      operation: end.operation,
    },
  );
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

function exitAttributes({ exitCode }: ExitRecord): Record<string, number | boolean> {
  return exitCode === undefined ? { exitUnknown: true } : { exitCode };
}

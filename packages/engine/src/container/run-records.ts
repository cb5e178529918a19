/** The two ends of a container's run, as commits. */
import type { Clock } from "@podfleet/base/clock";
import { wholeJournalLength } from "@podfleet/journal/record/whole-length";
import { initialHealth } from "@podfleet/model/container/healthcheck";
import type { ContainerSnapshot } from "@podfleet/model/container/snapshot";
import type { ContainerId } from "@podfleet/model/ids";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { OperationRef, SnapshotChanges, StateStore } from "../state/state-store.ts";
import type { ExitRecord } from "./exit-watcher.ts";
import { wasOutOfMemory } from "./out-of-memory.ts";
import { type EndedRun, planRestart } from "./restart-plan.ts";

export interface RunRecordParts {
  readonly clock: Pick<Clock, "nowMs">;
  readonly paths: Pick<EnginePaths, "bundle" | "journal">;
  readonly store: Pick<StateStore, "get" | "update">;
  /** Has the container started when the time of its record's `restartAt` has come. */
  readonly restartLater: (id: ContainerId) => void;
}

export interface EndOfRun {
  readonly exit: ExitRecord;
  readonly operation?: OperationRef | undefined;
  readonly stoppedByUser?: boolean;
}

export class RunRecords {
  readonly #parts: RunRecordParts;

  constructor(parts: RunRecordParts) {
    this.#parts = parts;
  }

  /** Commits that the created process runs the command: created → running. Ends the start that was marked beforehand. */
  commitStartedLocked(id: ContainerId): void {
    const { clock, store } = this.#parts;
    const { snapshot, spec, processes } = store.get(id);
    const { starting, ...identities } = processes;
    const restarts = starting?.byPolicy
      ? { restartCount: snapshot.restartCount + 1 }
      : { restartCount: 0, restartDelayMs: undefined };
    store.update(
      id,
      {
        state: "running",
        run: snapshot.run + 1,
        startedAt: new Date(starting?.atMs ?? clock.nowMs()).toISOString(),
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

  /**
   * Commits that the process has ended: created, running, paused → stopped; and when the restart policy starts it again. Wakes
   * those who wait for the run's exit.
   */
  commitExitLocked(id: ContainerId, end: EndOfRun): void {
    const { paths, restartLater, store } = this.#parts;
    // Marked as starting, and ended: it may have run the command, so it counts as a run.
    if (store.get(id).processes.starting) this.commitStartedLocked(id);
    const { snapshot, spec, processes } = store.get(id);
    const isByUser = end.stoppedByUser || processes.checkpointing !== undefined;
    const stoppedByUser = snapshot.stoppedByUser || isByUser;
    const ran = snapshot.state !== "created";
    const restart =
      ran && !stoppedByUser
        ? planRestart(spec.restartPolicy, endedRun(snapshot, end.exit))
        : undefined;
    const exit = ran ? exitChanges(snapshot, end.exit, paths.bundle(id)) : {};
    store.update(
      id,
      {
        ...exit,
        // What a monitor writes comes before the exit that it reports, and the next run appends after this commit.
        ...(ran ? { outputEnd: wholeJournalLength(paths.journal(id)) } : {}),
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
    if (restart) restartLater(id);
  }

  /** `commitExitLocked` for an end whose time and exit code cannot be learnt. */
  commitUnknownExitLocked(id: ContainerId, end: Omit<EndOfRun, "exit"> = {}): void {
    const exit = { exitCode: undefined, atMs: this.#parts.clock.nowMs() };
    this.commitExitLocked(id, { ...end, exit });
  }
}

function endedRun(
  { startedAt, restartCount, restartDelayMs }: ContainerSnapshot,
  { exitCode, atMs }: ExitRecord,
): EndedRun {
  const beganMs = startedAt === undefined ? atMs : Date.parse(startedAt);
  return { exitCode, atMs, ranMs: atMs - beganMs, restartCount, restartDelayMs };
}

function exitChanges(
  { run }: ContainerSnapshot,
  { exitCode, atMs }: ExitRecord,
  bundle: string,
): SnapshotChanges {
  return {
    exitedRun: run,
    exitCode,
    exitUnknown: exitCode === undefined,
    finishedAt: new Date(atMs).toISOString(),
    oomKilled: wasOutOfMemory(bundle),
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

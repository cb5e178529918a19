import type { Clock } from "@podfleet/base/clock";
import type { ActionOf } from "@podfleet/model/action";
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ExecSession } from "@podfleet/model/exec";
import type { ExecId } from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";
import type { HoldingCgroup } from "@podfleet/oci/cgroup/holding-cgroup";
import type { MonitoredProcess } from "@podfleet/oci/monitor/monitor";
import { findStartTicks } from "@podfleet/oci/process/process-identity";

import type { ContainerSync } from "../container/container-sync.ts";
import { undoAfter } from "../container/undo.ts";
import type { EnginePaths } from "../host/engine-paths.ts";
import type { ContainerLocks } from "../lock/container-locks.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { CommitNote, OperationRef, StateStore } from "../state/state-store.ts";
import { findLaunched } from "./exec-adoption.ts";
import type { ExecLaunch, ExecLauncher } from "./exec-launcher.ts";
import type { ExecWatcher } from "./exec-watcher.ts";

/** The longest that starting a command may take. */
export const execMsMax = 60_000;

export interface ExecStartParts {
  readonly clock: Clock;
  readonly paths: Pick<EnginePaths, "execBundle">;
  readonly store: Pick<StateStore, "get">;
  readonly locks: Pick<ContainerLocks, "run">;
  readonly sync: Pick<ContainerSync, "syncLocked">;
  readonly execs: Pick<ExecStore, "begin" | "find" | "forget" | "update">;
  readonly execWatcher: Pick<ExecWatcher, "watch">;
  readonly launcher: Pick<ExecLauncher, "discard" | "launch">;
  readonly monitorCgroup: Pick<HoldingCgroup, "moves">;
}

/** The part of the commit that starts the session which its caller decides. */
export type ExecStartNote = Pick<CommitNote, "operation" | "ends">;

/** Starts exec sessions. The container's lock is held until the command runs, not while it runs. */
export class ExecStart {
  readonly #parts: ExecStartParts;

  constructor(parts: ExecStartParts) {
    this.#parts = parts;
  }

  /**
   * Runs a further command in a running container.
   * @throws PodfleetError CANNOT_INVOKE unless the container runs; EXEC_IN_USE for an id that was used; COMMAND_NOT_FOUND,
   * COMMAND_NOT_EXECUTABLE, INVALID_INPUT for a user or workdir that is not there, or the OCI runtime's failure: no session is
   * left then. INTERRUPTED when the engine ended on the way and the command may have run
   */
  async start(
    operation: OperationRef,
    action: ActionOf<"exec.start"> & { readonly resumed: boolean },
  ): Promise<void> {
    const { containerId, execId, spec, verb, resumed } = action;
    const { locks, sync } = this.#parts;
    await locks.run(containerId, { purpose: verb, holdMsMax: execMsMax }, async () => {
      await sync.syncLocked(containerId, { operation });
      const note = { operation, ends: "succeeded" } as const;
      await this.startLocked({ containerId, execId, spec, resumed }, note);
    });
  }

  /**
   * Starts the session and commits it as running. `resumed`: an earlier engine may have begun the start.
   * @throws PodfleetError see `start`
   */
  async startLocked(
    launch: ExecLaunch & { readonly resumed: boolean },
    note: ExecStartNote,
  ): Promise<void> {
    const { execs, monitorCgroup } = this.#parts;
    // A cgroup move waits for a grace period of the kernel: it passes while the records are written.
    using _move = monitorCgroup.moves.expect();
    const known = execs.find(launch.execId)?.session;
    if (known) {
      if (!launch.resumed || known.state !== "created") throw alreadyUsed(known);
      if (await this.#adoptLocked(known, note)) return;
      await this.#discard(launch.execId);
    }
    await this.#beginLocked(launch, note);
  }

  /**
   * Takes over a session that an earlier engine was about to start: its monitor has gone on by itself. False when the command has
   * certainly not run.
   * @throws PodfleetError INTERRUPTED when nobody can tell whether it has run; the session is committed as exited then
   */
  async #adoptLocked(session: ExecSession, note: ExecStartNote): Promise<boolean> {
    const { clock, execs, paths } = this.#parts;
    const { id } = session;
    const found = await findLaunched(paths.execBundle(id), clock);
    if (found === "none") return false;
    if (found !== "unknown") {
      this.#commitRunning(id, found, note);
      return true;
    }
    execs.update(
      id,
      { state: "exited", exitUnknown: true, finishedAt: new Date(clock.nowMs()).toISOString() },
      { event: "exec.died", attributes: { exitUnknown: true }, operation: note.operation },
    );
    throw interrupted(session);
  }

  async #beginLocked(launch: ExecLaunch, note: ExecStartNote): Promise<void> {
    const { clock, execs, launcher, store, sync } = this.#parts;
    const { containerId, execId, spec } = launch;
    const { snapshot } = store.get(containerId);
    assertAllowed("exec.start", snapshot);
    execs.begin({
      ...{ id: execId, containerId, spec, run: snapshot.run },
      ...{ state: "created", exitUnknown: false, timedOut: false },
      createdAt: new Date(clock.nowMs()).toISOString(),
    });
    try {
      this.#commitRunning(execId, await launcher.launch(launch), note);
    } catch (error) {
      await undoAfter(error, () => this.#discard(execId));
      // The container may have ended meanwhile, which says more than the OCI runtime's message about it.
      if (hasCode(error, "RUNTIME_FAILED")) {
        await sync.syncLocked(containerId, { operation: note.operation });
        assertAllowed("exec.start", store.get(containerId).snapshot);
      }
      throw error;
    }
  }

  /** Commits created → running, and watches for the end of the command. */
  #commitRunning(id: ExecId, { pid, monitorPid }: MonitoredProcess, note: ExecStartNote): void {
    const { clock, execs, execWatcher } = this.#parts;
    const processes = {
      startTicks: findStartTicks(pid),
      monitorPid,
      monitorStartTicks: findStartTicks(monitorPid),
    };
    const startedAt = new Date(clock.nowMs()).toISOString();
    const changes = { state: "running", pid, startedAt, processes } as const;
    execs.update(id, changes, { event: "exec.start", ...note });
    execWatcher.watch(id);
  }

  /** Removes a session whose command could not be started, with all that it has left. */
  async #discard(id: ExecId): Promise<void> {
    await this.#parts.launcher.discard(id);
    this.#parts.execs.forget(id);
  }
}

function alreadyUsed({ id, state }: ExecSession): PodfleetError {
  return new PodfleetError(
    "EXEC_IN_USE",
    `Cannot start exec session "${id}": it has been started before and is "${state}", must be a new one`,
    { details: { execId: id, state } },
  );
}

function interrupted({ id, containerId }: ExecSession): PodfleetError {
  return new PodfleetError(
    "INTERRUPTED",
    `Cannot tell whether exec session "${id}" has run its command: the agent ended meanwhile`,
    { details: { containerId, execId: id } },
  );
}

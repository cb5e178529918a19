import { rm } from "node:fs/promises";

import type { ActionOf } from "@podfleet/model/action";
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession } from "@podfleet/model/exec";
import { sigkill } from "@podfleet/model/signal";
import { identityOf, isAlive, sendSignal } from "@podfleet/oci/process/process-identity";

import type { EnginePaths } from "../host/engine-paths.ts";
import type { ExecRecord } from "../state/exec-record.ts";
import type { ExecStore } from "../state/exec-store.ts";
import type { OperationRef } from "../state/state-store.ts";
import { assertRunning } from "./exec-state.ts";
import type { ExecWatcher } from "./exec-watcher.ts";

/** The longest time from SIGKILL to the exit code; the monitor writes the rest of the output first. */
const killTimeoutMs = 10_000;

export interface ExecControlParts {
  readonly execs: Pick<ExecStore, "get" | "remove" | "update">;
  readonly execWatcher: Pick<ExecWatcher, "end">;
  readonly paths: Pick<EnginePaths, "exec">;
}

/** Signals and removes exec sessions. Neither takes the container's lock: each changes one session with one commit. */
export class ExecControl {
  readonly #parts: ExecControlParts;

  constructor(parts: ExecControlParts) {
    this.#parts = parts;
  }

  /**
   * Sends a signal to the command of a running session, and to no other process of its container.
   * @throws PodfleetError EXEC_NOT_FOUND; STATE_INVALID unless the session runs; INTERRUPTED when the engine ended during the
   * first attempt, since a second signal could be one too many
   */
  async kill(
    operation: OperationRef,
    action: ActionOf<"exec.kill"> & { readonly resumed: boolean },
  ): Promise<void> {
    const { containerId, execId, signal, resumed } = action;
    const { execs } = this.#parts;
    const record = execs.get(containerId, execId);
    if (resumed && signal !== sigkill) throw interrupted(record.session, signal);
    // A resumed SIGKILL may be sent again; a session that has ended meanwhile is what it asked for.
    if (!resumed) assertRunning(record.session, "signal");
    signalCommand(record, signal);
    const note = { event: "exec.kill", attributes: { signal }, operation } as const;
    execs.update(execId, {}, { ...note, ends: "succeeded" });
  }

  /**
   * Removes a session and its output. With `force`, kills the command of a running one first.
   * @throws PodfleetError EXEC_NOT_FOUND; EXEC_IN_USE when the session runs or is being started
   */
  async remove(operation: OperationRef, action: ActionOf<"exec.remove">): Promise<void> {
    const { containerId, execId, force } = action;
    const { execs, execWatcher, paths } = this.#parts;
    const record = execs.get(containerId, execId);
    const { state } = record.session;
    if (state === "created" || (state === "running" && !force)) throw inUse(record.session);
    signalCommand(record, sigkill);
    await execWatcher.end(execId, killTimeoutMs);
    await rm(paths.exec(execId), { recursive: true, force: true });
    // Another caller may have removed it meanwhile.
    execs.get(containerId, execId);
    execs.remove(execId, { event: "exec.remove", operation, ends: "succeeded" });
  }
}

function signalCommand({ session, processes }: ExecRecord, signal: number): void {
  const process = identityOf(session.pid, processes.startTicks);
  if (process && isAlive(process)) sendSignal(process.pid, signal);
}

function interrupted({ id }: ExecSession, signal: number): PodfleetError {
  return new PodfleetError(
    "INTERRUPTED",
    `Cannot tell whether signal ${signal} reached exec session "${id}": the agent ended meanwhile`,
    { details: { execId: id, signal } },
  );
}

function inUse({ id, state }: ExecSession): PodfleetError {
  return new PodfleetError(
    "EXEC_IN_USE",
    `Cannot remove exec session "${id}": state is "${state}", wait for its end or remove it with force`,
    { details: { execId: id, state } },
  );
}

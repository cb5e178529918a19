import { createHash } from "node:crypto";

import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession, ExecSpec } from "@podfleet/model/exec";
import { type ContainerId, type ExecId, execIdSchema } from "@podfleet/model/ids";

import type { ExecStore } from "../state/exec-store.ts";
import type { OperationRef, StateStore } from "../state/state-store.ts";
import type { ExecSessions } from "./exec-sessions.ts";
import { execMsMax, type ExecStart } from "./exec-start.ts";
import type { ExecWatcher } from "./exec-watcher.ts";

/** The limit of a command whose spec sets none: the container's lock is held while the command runs. */
const timeoutSecondsDefault = 600;
/** The longest time from the kill of the command by its monitor to the end of the session. */
const graceMs = 5_000;

/** The longest that `ExecStep.runLocked` may take. */
export function execStepMsMax({ timeoutSeconds = timeoutSecondsDefault }: ExecSpec): number {
  return execMsMax + timeoutSeconds * 1_000 + 2 * graceMs;
}

export interface ExecStepParts {
  readonly store: Pick<StateStore, "succeed">;
  readonly execs: Pick<ExecStore, "find">;
  readonly execStart: Pick<ExecStart, "startLocked">;
  readonly execSessions: Pick<ExecSessions, "inspect" | "wait">;
  readonly execWatcher: Pick<ExecWatcher, "end">;
}

export interface ExecStepTask {
  readonly operation: OperationRef;
  readonly spec: ExecSpec;
  readonly resumed: boolean;
}

/** Runs commands as steps of batches. */
export class ExecStep {
  readonly #parts: ExecStepParts;

  constructor(parts: ExecStepParts) {
    this.#parts = parts;
  }

  /**
   * Runs a command to its end and commits the result of the step.
   * @throws PodfleetError see `ExecStart.start`; COMMAND_FAILED when it did not end with 0, and its session is kept
   */
  async runLocked(containerId: ContainerId, task: ExecStepTask): Promise<void> {
    const { store, execs, execStart, execSessions, execWatcher } = this.#parts;
    const { operation, spec, resumed } = task;
    const execId = execIdOf(operation);
    const timeoutSeconds = spec.timeoutSeconds ?? timeoutSecondsDefault;
    const known = execs.find(execId)?.session;
    if (!known || known.state === "created") {
      const launch = { containerId, execId, spec: { ...spec, timeoutSeconds }, resumed };
      await execStart.startLocked(launch, { operation });
    }
    const reference = { containerId, execId };
    await execSessions.wait({ ...reference, timeoutMs: timeoutSeconds * 1_000 + graceMs });
    await execWatcher.end(execId, 0);
    const session = execSessions.inspect(reference);
    if (session.exitCode !== 0) throw commandFailed(session);
    store.succeed(containerId, operation, session);
  }
}

/** The session's id, which is the same in each attempt, so that the command runs once. */
function execIdOf({ id, step }: OperationRef): ExecId {
  return execIdSchema.parse(createHash("sha256").update(`${id} ${step}`).digest("hex"));
}

function commandFailed({ id, spec, exitCode, timedOut }: ExecSession): PodfleetError {
  const how = timedOut
    ? `was killed after ${spec.timeoutSeconds} s`
    : exitCode === undefined
      ? "ended with an unknown exit code"
      : `ended with ${exitCode}`;
  return new PodfleetError(
    "COMMAND_FAILED",
    `Command "${spec.command.join(" ")}" of exec session "${id}" ${how}, must end with 0`,
    { details: { execId: id, ...(exitCode === undefined ? {} : { exitCode }) } },
  );
}

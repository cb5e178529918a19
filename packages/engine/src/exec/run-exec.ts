import { createHash } from "node:crypto";

import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession, ExecSpec } from "@podfleet/model/exec";
import { type ContainerId, type ExecId, execIdSchema } from "@podfleet/model/ids";

import type { EngineParts } from "../container/engine-parts.ts";
import type { OperationRef } from "../state/state-store.ts";
import { ExecSessions } from "./exec-sessions.ts";
import { execMsMax, startExecLocked } from "./start-exec.ts";

/** Of a command whose spec sets no limit: others wait for the container's lock. */
const timeoutSecondsDefault = 600;
/** From the moment at which the monitor kills the command to the end of the session. */
const graceMs = 5_000;

/** The longest that `runExecLocked` may take. */
export function runExecMsMax({ timeoutSeconds = timeoutSecondsDefault }: ExecSpec): number {
  return execMsMax + timeoutSeconds * 1_000 + 2 * graceMs;
}

/**
 * Runs a command to its end, as a step of a batch, and records the result of the step.
 * @throws PodfleetError what starting it may fail with; COMMAND_FAILED when it did not end with 0, and its session is kept
 */
export async function runExecLocked(
  parts: EngineParts,
  containerId: ContainerId,
  options: {
    readonly operation: OperationRef;
    readonly spec: ExecSpec;
    readonly resumed: boolean;
  },
): Promise<void> {
  const { operation, spec, resumed } = options;
  const execId = execIdOf(operation);
  const timeoutSeconds = spec.timeoutSeconds ?? timeoutSecondsDefault;
  const known = parts.execs.find(execId)?.session;
  if (!known || known.state === "created") {
    const start = { containerId, execId, spec: { ...spec, timeoutSeconds }, resumed };
    await startExecLocked(parts, start, { operation });
  }
  const sessions = new ExecSessions(parts);
  const reference = { containerId, execId };
  await sessions.wait({ ...reference, timeoutMs: timeoutSeconds * 1_000 + graceMs });
  await parts.execWatcher.end(execId, 0);
  const exec = sessions.inspect(reference);
  if (exec.exitCode !== 0) throw commandFailed(exec);
  parts.store.succeed(containerId, operation, exec);
}

/** The same in each attempt, so that the command runs once. */
function execIdOf({ id, step }: OperationRef): ExecId {
  return execIdSchema.parse(createHash("sha256").update(`${id} ${step}`).digest("hex"));
}

function commandFailed({ id, spec, exitCode, timedOut }: ExecSession): PodfleetError {
  const how = timedOut
    ? `was killed after ${spec.timeoutSeconds} s`
    : exitCode === undefined
      ? "ended, how is unknown"
      : `ended with ${exitCode}`;
  return new PodfleetError(
    "COMMAND_FAILED",
    `Command "${spec.command.join(" ")}" of exec session "${id}" ${how}, must end with 0`,
    { details: { execId: id, ...(exitCode === undefined ? {} : { exitCode }) } },
  );
}

import type { Action } from "@podfleet/model/action";
import { PodfleetError } from "@podfleet/model/errors";
import type { ExecSession } from "@podfleet/model/exec";
import { identityOf, isAlive, sendSignal } from "@podfleet/oci/process/process-identity";

import type { EngineParts } from "../container/engine-parts.ts";
import type { OperationRef } from "../state/state-store.ts";

const sigkill = 9;

/**
 * Sends a signal to the command of a running session, and to nothing else in its container. It takes no lock, as it is one step.
 * @throws PodfleetError EXEC_NOT_FOUND; STATE_INVALID unless the session runs; INTERRUPTED when the engine ended during the
 * first attempt and a second signal could be one too many
 */
export async function killExec(
  parts: EngineParts,
  operation: OperationRef,
  action: Extract<Action, { verb: "exec.kill" }> & { readonly resumed: boolean },
): Promise<void> {
  const { containerId, execId, signal, resumed } = action;
  const { session, processes } = parts.execs.get(containerId, execId);
  if (resumed && signal !== sigkill) throw interrupted(session, signal);
  // SIGKILL may be sent twice; an end that came meanwhile is what it asked for.
  if (!resumed) assertRunning(session, "signal");
  const process = identityOf(session.pid, processes.startTicks);
  if (process && isAlive(process)) sendSignal(process.pid, signal);
  const note = {
    event: "exec.kill",
    attributes: { signal },
    operation,
    ends: "succeeded",
  } as const;
  parts.execs.update(execId, {}, note);
}

/** @throws PodfleetError STATE_INVALID that names the session and its state */
export function assertRunning({ id, state }: ExecSession, verb: string): void {
  if (state === "running") return;
  throw new PodfleetError(
    "STATE_INVALID",
    `Cannot ${verb} exec session "${id}": state is "${state}", must be "running"`,
    { details: { execId: id, state, allowed: ["running"] } },
  );
}

function interrupted({ id }: ExecSession, signal: number): PodfleetError {
  return new PodfleetError(
    "INTERRUPTED",
    `Cannot tell whether signal ${signal} reached exec session "${id}": the agent ended meanwhile`,
    { details: { execId: id, signal } },
  );
}

import { rm } from "node:fs/promises";

import type { Action } from "@podfleet/model/action";
import { PodfleetError } from "@podfleet/model/errors";
import { identityOf, isAlive, sendSignal } from "@podfleet/oci/process/process-identity";

import type { EngineParts } from "../container/engine-parts.ts";
import type { OperationRef } from "../state/state-store.ts";

const sigkill = 9;
/** From SIGKILL to the end that the monitor reports; it writes out the output in that time. */
const killTimeoutMs = 10_000;

/**
 * Removes a session with its output; with `force` its command is killed first when it runs.
 * @throws PodfleetError EXEC_NOT_FOUND; EXEC_IN_USE when it runs, or is being started
 */
export async function removeExec(
  parts: EngineParts,
  operation: OperationRef,
  action: Extract<Action, { verb: "exec.remove" }>,
): Promise<void> {
  const { containerId, execId, force } = action;
  const { session, processes } = parts.execs.get(containerId, execId);
  if (session.state === "created" || (session.state === "running" && !force)) {
    throw new PodfleetError(
      "EXEC_IN_USE",
      `Cannot remove exec session "${execId}": state is "${session.state}", wait for its end or remove it with force`,
      { details: { execId, state: session.state } },
    );
  }
  const process = identityOf(session.pid, processes.startTicks);
  if (process && isAlive(process)) sendSignal(process.pid, sigkill);
  await parts.execWatcher.end(execId, killTimeoutMs);
  await rm(parts.paths.exec(execId), { recursive: true, force: true });
  // Somebody else may have removed it meanwhile.
  parts.execs.get(containerId, execId);
  parts.execs.remove(execId, { event: "exec.remove", operation, ends: "succeeded" });
}

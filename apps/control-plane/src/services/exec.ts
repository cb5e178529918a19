/** Exec sessions. Only their host's agent has records of them, so it is asked each time. */
import { createHash } from "node:crypto";

import type { ExecListRequest } from "@podfleet/api/requests/exec";
import type { NewExec, StartedExec } from "@podfleet/api/services/exec";
import type { MutationRequest } from "@podfleet/api/services/operations";
import { backoffMs } from "@podfleet/base/backoff";
import { pause } from "@podfleet/base/pause";
import { findContainerById } from "@podfleet/db/containers";
import { isUnreachable, PodfleetError } from "@podfleet/model/errors";
import type { ExecSession, TerminalSize } from "@podfleet/model/exec";
import { type ExecId, execIdSchema, newOperationId, type OperationId } from "@podfleet/model/ids";

import { cutShort, type Fleet } from "./fleet.ts";
import type { WatchedHost } from "./host-watch.ts";
import { getKnownContainer, getReachableContainer } from "./known-container.ts";
import type { Operations } from "./operations.ts";

export interface ExecReference {
  /** Name, id or id prefix; the full id finds one that was removed lately too. */
  readonly container: string;
  readonly exec: ExecId;
}

const timeoutMs = 5_000;
const pollMs = 20_000;
const answerMs = 5_000;
const retryDelay = { minMs: 100, maxMs: 2_000 };

/** The id of the session that an operation starts, derived from the operation's id: retries get the same one. */
export function execIdOf(operationId: OperationId): ExecId {
  return execIdSchema.parse(createHash("sha256").update(operationId).digest("hex"));
}

export function execNotFound(id: ExecId): PodfleetError {
  return new PodfleetError("EXEC_NOT_FOUND", `Cannot find exec session "${id}"`, {
    details: { execId: id },
  });
}

/** Resolves when the command runs. @throws PodfleetError the operation's failure */
export async function startExec(
  operations: Operations,
  { caller, operationId = newOperationId(), container, spec }: NewExec,
): Promise<StartedExec> {
  const execId = execIdOf(operationId);
  return await runExec(operations, {
    ...{ caller, operationId },
    mutation: { verb: "exec.start", container, execId, spec },
  });
}

/** @throws PodfleetError the operation's failure */
export async function runExec(
  operations: Operations,
  request: MutationRequest,
): Promise<StartedExec> {
  const { exec, ...result } = await operations.perform(request);
  if (!exec) throw new Error(`Operation "${result.operationId}" has started no session`);
  return { ...result, exec };
}

/** @throws PodfleetError CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
export async function listExecs(
  fleet: Fleet,
  { container, all }: ExecListRequest,
): Promise<ExecSession[]> {
  const row = await getReachableContainer(fleet, container);
  const call = { payload: { containerId: row.id }, timeoutMs };
  const { sessions } = await fleet.hosts.request(row.host.id, "exec.list", call);
  return all ? sessions : sessions.filter(({ state }) => state !== "exited");
}

/** @throws PodfleetError EXEC_NOT_FOUND, CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
export async function inspectExec(
  fleet: Fleet,
  { container, exec }: ExecReference,
): Promise<ExecSession> {
  const row = await getReachableContainer(fleet, container);
  const call = { payload: { containerId: row.id, execId: exec }, timeoutMs };
  const { session } = await fleet.hosts.request(row.host.id, "exec.inspect", call);
  return session;
}

/** @throws PodfleetError STATE_INVALID, EXEC_NOT_FOUND, CONTAINER_NOT_FOUND, AMBIGUOUS_ID, HOST_UNREACHABLE */
export async function resizeExec(
  fleet: Fleet,
  { container, exec, ...size }: ExecReference & TerminalSize,
): Promise<void> {
  const row = await getReachableContainer(fleet, container);
  const call = { payload: { containerId: row.id, execId: exec, size }, timeoutMs };
  await fleet.hosts.request(row.host.id, "exec.resize", call);
}

/**
 * Resolves with the session when it has ended, however long that takes, across outages of its host.
 * @throws PodfleetError EXEC_NOT_FOUND, also when it is removed meanwhile; CONTAINER_NOT_FOUND; AMBIGUOUS_ID; CANCELLED;
 *   UNAVAILABLE when this process is about to end
 */
export async function waitForExec(
  fleet: Fleet,
  { container, exec }: ExecReference,
  caller: AbortSignal,
): Promise<ExecSession> {
  const signal = AbortSignal.any([caller, fleet.draining]);
  const row = await getKnownContainer(fleet, container);
  let host: WatchedHost = row.host;
  for (let attempt = 0; ; attempt += 1) {
    if (signal.aborted) throw cutShort(fleet, signal.reason);
    try {
      const polled = await fleet.watch.during(host, signal, async (watched) => {
        const payload = { containerId: row.id, execId: exec, timeoutMs: pollMs };
        const call = { payload, timeoutMs: pollMs + answerMs, signal: watched };
        return await fleet.hosts.request(row.host.id, "exec.wait", call);
      });
      if (polled.type === "done") {
        const { session } = polled.value;
        if (session.state === "exited") return session;
        attempt = 0;
        continue;
      }
    } catch (error) {
      if (signal.aborted) throw cutShort(fleet, error);
      if (!isUnreachable(error)) throw error;
    }
    await pause(backoffMs(attempt, retryDelay), signal);
    host = (await findContainerById(fleet.database, row.id))?.host ?? host;
  }
}

/**
 * Exec sessions that are created first and started later, as in libpod and Docker. Any replica can start one, and only once: the first
 * start claims the session for its operation, and the operation takes effect once. A resize before the start sets the size that its
 * terminal begins with.
 */
import { isDeepStrictEqual } from "node:util";

import type { CreatedExecStart, NewExec, StartedExec } from "@podfleet/api/services/exec";
import { systemClock } from "@podfleet/base/clock";
import { pause } from "@podfleet/base/pause";
import {
  claimCreatedExec,
  type CreatedExecRow,
  ensureCreatedExec,
  findContainerOfExec,
  findCreatedExec,
  resizeCreatedExec,
} from "@podfleet/db/created-execs";
import { getOperationRow } from "@podfleet/db/operations";
import { errorKinds, hasCode, PodfleetError } from "@podfleet/model/errors";
import type { ExecSession, TerminalSize } from "@podfleet/model/exec";
import {
  type ContainerId,
  type ExecId,
  newOperationId,
  type OperationId,
} from "@podfleet/model/ids";
import { assertAllowed } from "@podfleet/model/verb/container-methods";

import { execIdOf, execNotFound, inspectExec, resizeExec, runExec } from "./exec.ts";
import type { Fleet } from "./fleet.ts";
import { inspectContainer } from "./inspect.ts";
import type { Operations } from "./operations.ts";

/** The longest wait for a session that is being started. */
const startTimeoutMs = 10_000;
const startPollMs = 50;

/**
 * @param request its operation id names the session, so that a retry creates it once
 * @throws PodfleetError CANNOT_INVOKE unless the container runs; CONTAINER_NOT_FOUND, AMBIGUOUS_ID; CONFLICT when the operation id was
 *   used for another session
 */
export async function createExec(
  fleet: Fleet,
  { container: reference, spec, operationId = newOperationId() }: NewExec,
): Promise<ExecSession> {
  const container = await inspectContainer(fleet, reference);
  assertAllowed("exec.start", container);
  const wanted = { id: execIdOf(operationId), containerId: container.id, spec };
  const row = await ensureCreatedExec(fleet.database, wanted);
  const isSame = row.containerId === wanted.containerId && isDeepStrictEqual(row.spec, wanted.spec);
  if (isSame) return sessionOf(row);
  throw new PodfleetError(
    "CONFLICT",
    `Cannot use operation id "${operationId}": it was used for another exec session`,
    { details: { operationId } },
  );
}

/**
 * Starts a session that `createExec` has created. It can be started once.
 * @throws PodfleetError EXEC_IN_USE when it has been started; EXEC_NOT_FOUND; the operation's failure
 */
export async function startCreatedExec(
  { fleet, operations }: { readonly fleet: Fleet; readonly operations: Operations },
  { caller, operationId = newOperationId(), exec, terminalSize }: CreatedExecStart,
): Promise<StartedExec> {
  const created = await claimExec(fleet, { exec, operationId });
  const spec = { ...created.spec, ...(terminalSize ? { terminalSize } : {}) };
  const container = created.containerId;
  const mutation = { verb: "exec.start", container, execId: exec, spec } as const;
  return await runExec(operations, { caller, operationId, mutation });
}

/**
 * Claims the session for the operation that starts it.
 * @throws PodfleetError EXEC_IN_USE when another operation has claimed it; EXEC_NOT_FOUND
 */
export async function claimExec(
  fleet: Fleet,
  { exec, operationId }: { readonly exec: ExecId; readonly operationId: OperationId },
): Promise<CreatedExecRow> {
  const { database } = fleet;
  const claimed = await claimCreatedExec(database, { id: exec, operation: operationId });
  if (claimed) return claimed;
  const isKnown =
    (await findCreatedExec(database, exec)) ?? (await findContainerOfExec(database, exec));
  if (!isKnown) throw execNotFound(exec);
  throw new PodfleetError(
    "EXEC_IN_USE",
    `Cannot start exec session "${exec}": it has been started before`,
    { details: { execId: exec } },
  );
}

/**
 * Finds a session by its id alone, started or not. A session whose command could not be started has the exit code that the CLI uses for that error.
 * @throws PodfleetError EXEC_NOT_FOUND, CONTAINER_NOT_FOUND, HOST_UNREACHABLE
 */
export async function getExecById(fleet: Fleet, exec: ExecId): Promise<ExecSession> {
  const row = await findCreatedExec(fleet.database, exec);
  if (row?.startedBy === null) return sessionOf(row);
  try {
    return await inspectExec(fleet, { container: await containerOf(fleet, exec, row), exec });
  } catch (error) {
    const unstarted = row && hasCode(error, "EXEC_NOT_FOUND") && (await outcomeOf(fleet, row));
    if (unstarted) return unstarted;
    throw error;
  }
}

/**
 * Sets the size of the session's terminal; before the start, the initial size. Waits while the session is being started.
 * @throws PodfleetError STATE_INVALID, EXEC_NOT_FOUND, CONTAINER_NOT_FOUND, HOST_UNREACHABLE
 */
export async function resizeExecById(
  fleet: Fleet,
  { exec, size }: { readonly exec: ExecId; readonly size: TerminalSize },
): Promise<void> {
  const deadline = systemClock.nowMs() + startTimeoutMs;
  for (;;) {
    if (await resizeCreatedExec(fleet.database, { id: exec, size })) return;
    const row = await findCreatedExec(fleet.database, exec);
    try {
      return await resizeExec(fleet, {
        container: await containerOf(fleet, exec, row),
        exec,
        ...size,
      });
    } catch (error) {
      const isStarting = (await getExecById(fleet, exec)).state === "created";
      if (!isStarting || systemClock.nowMs() > deadline) throw error;
    }
    await pause(startPollMs, fleet.draining);
  }
}

async function containerOf(
  fleet: Fleet,
  exec: ExecId,
  row: CreatedExecRow | undefined,
): Promise<ContainerId> {
  const id = row?.containerId ?? (await findContainerOfExec(fleet.database, exec));
  if (id === undefined) throw execNotFound(exec);
  return id;
}

/** The state of a session that was claimed and that its host does not know, from its operation's record. */
async function outcomeOf(fleet: Fleet, row: CreatedExecRow): Promise<ExecSession | undefined> {
  if (row.startedBy === null) return undefined;
  try {
    const { outcome, finishedAt } = await getOperationRow(fleet.database, row.startedBy);
    if (outcome?.status === "succeeded") return undefined;
    if (!outcome) return sessionOf(row);
    return {
      ...sessionOf(row),
      state: "exited",
      exitCode: errorKinds[outcome.error.code].exitCode,
      ...(finishedAt ? { finishedAt: finishedAt.toISOString() } : {}),
    };
  } catch (error) {
    // The session is claimed and its operation is not recorded yet.
    if (hasCode(error, "OPERATION_NOT_FOUND")) return sessionOf(row);
    throw error;
  }
}

function sessionOf(row: CreatedExecRow): ExecSession {
  const { id, containerId, spec, createdAt } = row;
  return {
    ...{ id, containerId, spec, run: 0 },
    state: "created",
    exitUnknown: false,
    timedOut: false,
    createdAt: createdAt.toISOString(),
  };
}

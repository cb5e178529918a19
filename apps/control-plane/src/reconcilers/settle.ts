/**
 * Settles operations whose outcome got lost: asks their hosts, so that no operation stays open. `finished` is
 * recorded, `running` is asked about again later, and `unknown`, which the agent makes final before it replies, has failed
 * without effect. Operations with a lease are being driven and are left out.
 */
import { attemptAll } from "@podfleet/base/attempt-all";
import type { LoopResult } from "@podfleet/base/loop";
import type { HostClient } from "@podfleet/bus/host-client";
import type { Database } from "@podfleet/db/database";
import {
  extendDrive,
  failAbandoned,
  listAbandoned,
  listUnsettled,
  type UnsettledOperation,
} from "@podfleet/db/operations";
import { applyOutcome } from "@podfleet/db/projection";
import { hasCode, isUnreachable, PodfleetError } from "@podfleet/model/errors";
import type { OperationId } from "@podfleet/model/ids";
import type { OperationOutcome } from "@podfleet/model/operation";

import { failedOutcome, undelivered } from "../services/unreachable.ts";

export interface SettleOptions {
  readonly database: Database;
  readonly hosts: HostClient;
}

const batchMax = 100;
const answerMs = 5_000;
/** The same as the agents' retention of an upload that gets no chunks. */
const abandonedAfterMs = 10 * 60_000;

/** @throws the failures to settle operations, after the others have been settled */
export async function settleOperations(
  options: SettleOptions,
  signal: AbortSignal,
): Promise<LoopResult> {
  const counts = { finished: 0, running: 0, unknown: 0, unanswered: 0, abandoned: 0 };
  const steps = [
    async () =>
      await attemptAll(await listUnsettled(options.database, batchMax), async (operation) => {
        counts[await settle(options, operation, signal)] += 1;
      }),
    async () =>
      await attemptAll(await abandonedOperations(options.database), async (operation) => {
        await giveUp(options.database, operation);
        counts.abandoned += 1;
      }),
  ];
  await attemptAll(steps, async (step) => await step());
  return counts;
}

type SettleResult = "finished" | "running" | "unknown" | "unanswered";

async function settle(
  { database, hosts }: SettleOptions,
  { id, host }: UnsettledOperation,
  signal: AbortSignal,
): Promise<SettleResult> {
  try {
    const call = { payload: { operationId: id }, timeoutMs: answerMs, signal };
    const reply = await hosts.request(host.id, "operation.settle", call);
    if (reply.state === "running") await extendDrive(database, id);
    else await applyOutcome(database, host.id, { id, outcome: outcomeOf(reply, host) });
    return reply.state;
  } catch (error) {
    if (isUnreachable(error) || hasCode(error, "CANCELLED")) return "unanswered";
    await postpone(database, id);
    throw new Error(`Cannot settle operation "${id}" on host "${host.name}": ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Extends the operation's lease, so that the next run takes the operations after it. */
async function postpone(database: Database, id: OperationId): Promise<void> {
  try {
    await extendDrive(database, id);
  } catch {
    // Safe to ignore: the error of the operation itself is reported, and the next run finds it again.
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function outcomeOf(
  reply:
    | { readonly state: "finished"; readonly outcome: OperationOutcome }
    | { readonly state: "unknown" },
  host: UnsettledOperation["host"],
): OperationOutcome {
  return reply.state === "finished" ? reply.outcome : failedOutcome(undelivered(host));
}

type AbandonedOperation = Awaited<ReturnType<typeof listAbandoned>>[number];

async function abandonedOperations(database: Database): Promise<AbandonedOperation[]> {
  return await listAbandoned(database, { idleMs: abandonedAfterMs, max: batchMax });
}

async function giveUp(database: Database, { id, hostId }: AbandonedOperation): Promise<void> {
  const error = new PodfleetError(
    "CANCELLED",
    "The caller went away before the upload was complete; nothing was done",
  );
  const outcome = failedOutcome(error);
  if (hostId === null) await failAbandoned(database, id, outcome);
  else await applyOutcome(database, hostId, { id, outcome });
}

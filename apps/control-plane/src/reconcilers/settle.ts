/**
 * Finds operations whose outcome got lost and asks their hosts what became of them, so that none stays open: `finished` is
 * recorded, `running` is left alone for a while, and `unknown`, which the agent makes final before it answers, has failed
 * without effect. Operations that somebody is at have a lease and are not looked at.
 */
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
import { hasCode, PodfleetError } from "@podfleet/model/errors";
import type { OperationOutcome } from "@podfleet/model/operation";

import { failedOutcome, undelivered } from "../services/unreachable.ts";

export interface SettleOptions {
  readonly database: Database;
  readonly hosts: HostClient;
}

const batchMax = 100;
const answerMs = 5_000;
/** As long as agents keep an upload without a chunk. */
const abandonedAfterMs = 10 * 60_000;

export async function settleOperations(
  options: SettleOptions,
  signal: AbortSignal,
): Promise<Readonly<Record<string, number>>> {
  const unsettled = await listUnsettled(options.database, batchMax);
  const results = await Promise.all(
    unsettled.map(async (operation) => await settle(options, operation, signal)),
  );
  const count = (result: SettleResult): number => results.filter((each) => each === result).length;
  return {
    finished: count("finished"),
    running: count("running"),
    unknown: count("unknown"),
    unanswered: count("unanswered"),
    abandoned: await giveUpAbandoned(options.database),
  };
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
    if (hasCode(error, "HOST_UNREACHABLE", "UNAVAILABLE", "CANCELLED")) return "unanswered";
    throw error;
  }
}

function outcomeOf(
  reply:
    | { readonly state: "finished"; readonly outcome: OperationOutcome }
    | { readonly state: "unknown" },
  host: UnsettledOperation["host"],
): OperationOutcome {
  return reply.state === "finished" ? reply.outcome : failedOutcome(undelivered(host));
}

async function giveUpAbandoned(database: Database): Promise<number> {
  const abandoned = await listAbandoned(database, { idleMs: abandonedAfterMs, max: batchMax });
  const error = new PodfleetError(
    "CANCELLED",
    "The caller was gone before everything had been sent; nothing was done",
  );
  const outcome = failedOutcome(error);
  for (const { id, hostId } of abandoned) {
    if (hostId === null) await failAbandoned(database, id, outcome);
    else await applyOutcome(database, hostId, { id, outcome });
  }
  return abandoned.length;
}

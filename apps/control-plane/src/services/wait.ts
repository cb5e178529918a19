/**
 * Waits for a container. The agent is asked by long polls that all name the same run, so restarts of the agent, of NATS and of
 * the control plane cannot make a waiter miss an exit. While the host does not answer, the record may answer.
 */
import type { WaitRequest } from "@podfleet/api/requests/containers";
import { backoffMs } from "@podfleet/base/backoff";
import { pause } from "@podfleet/base/pause";
import { type ContainerRow, findContainerById, summaryOf } from "@podfleet/db/containers";
import { applySnapshot } from "@podfleet/db/projection";
import {
  findWaitMet,
  runWaitedFor,
  type WaitCondition,
  type WaitResult,
} from "@podfleet/model/container/wait";
import { hasCode, isUnreachable } from "@podfleet/model/errors";
import type { WaitReply } from "@podfleet/protocol/host/wait";

import { cutShort, type Fleet } from "./fleet.ts";
import type { WatchedHost } from "./host-watch.ts";
import { getKnownContainer } from "./known-container.ts";

const pollMs = 20_000;
/** Longer than the poll, so that the agent's own reply comes first. */
const requestTimeoutMs = pollMs + 5_000;
/** How often the agent may reply CONTAINER_NOT_FOUND for a container that is on record, before the wait fails. */
const unknownMax = 10;

const retryDelay = { minMs: 100, maxMs: 2_000 };

/**
 * Resolves when the condition is met, however long that takes.
 * @throws PodfleetError CONTAINER_NOT_FOUND, also for one that was removed and can never meet it; AMBIGUOUS_ID; CANCELLED;
 *   UNAVAILABLE when this process is about to end
 */
export async function waitForContainer(
  fleet: Fleet,
  request: WaitRequest,
  caller: AbortSignal,
): Promise<WaitResult> {
  const signal = AbortSignal.any([caller, fleet.draining]);
  let row = await getKnownContainer(fleet, request.container);
  let run = request.run;
  let host: WatchedHost = row.host;
  let unknownCount = 0;
  for (let attempt = 0; ; attempt += 1) {
    if (signal.aborted) throw cutShort(fleet, signal.reason);
    try {
      const polled = await fleet.watch.during(host, signal, async (watched) => {
        return await poll(fleet, row, { condition: request.condition, run, signal: watched });
      });
      if (polled.type === "done" && polled.value.state === "met") {
        return await resultOf(fleet, row, polled.value);
      }
      if (polled.type === "done") {
        ({ run } = polled.value);
        attempt = 0;
      }
      if (polled.type === "restarted") ({ host } = polled);
      if (polled.type !== "silent") continue;
    } catch (error) {
      if (signal.aborted) throw cutShort(fleet, error);
      if (hasCode(error, "CONTAINER_NOT_FOUND")) {
        unknownCount += 1;
        if (row.removedAt !== null || unknownCount > unknownMax) throw error;
      } else if (!isUnreachable(error)) throw error;
    }
    row = (await findContainerById(fleet.database, row.id)) ?? row;
    ({ host } = row);
    const met = metByRecord(row, request.condition, run);
    if (met) return met;
    await pause(backoffMs(attempt, retryDelay), signal);
  }
}

interface Poll {
  readonly condition: WaitCondition;
  readonly run: number | undefined;
  readonly signal: AbortSignal;
}

async function poll(fleet: Fleet, row: ContainerRow, options: Poll): Promise<WaitReply> {
  const { condition, run, signal } = options;
  const payload = { containerId: row.id, condition, run, timeoutMs: pollMs };
  try {
    const call = { payload, timeoutMs: requestTimeoutMs, signal };
    return await fleet.hosts.request(row.host.id, "wait", call);
  } catch (error) {
    const isLost = hasCode(error, "HOST_UNREACHABLE") && error.details?.["delivered"] !== false;
    // The poll's reply was lost and the host is alive: ask again at once.
    if (isLost && run !== undefined) return { state: "pending", run };
    throw error;
  }
}

async function resultOf(
  fleet: Fleet,
  row: ContainerRow,
  reply: WaitReply & { readonly state: "met" },
): Promise<WaitResult> {
  const { run, exitCode, exitUnknown, container } = reply;
  // Recorded before the reply, so that a list of containers afterwards shows the awaited state.
  await applySnapshot(fleet.database, row.host.id, container);
  return {
    run,
    ...(exitCode === undefined ? {} : { exitCode }),
    exitUnknown,
    container: summaryOf(row, container),
  };
}

/** Answers from the record alone, where it can. */
export function metByRecord(
  row: ContainerRow,
  condition: WaitCondition,
  wanted: number | undefined,
): WaitResult | undefined {
  const { snapshot, removedAt, state } = row;
  if (!snapshot) return undefined;
  const recorded = { ...snapshot, state };
  const run = wanted ?? runWaitedFor(condition, recorded);
  const met = findWaitMet({ condition, run }, recorded, removedAt !== null);
  if (!met) return undefined;
  const exit = met.by === "exit" ? exitOf(row, met.run) : { run: met.run, exitUnknown: false };
  return { ...exit, container: summaryOf(row) };
}

function exitOf({ snapshot }: ContainerRow, run: number): Omit<WaitResult, "container"> {
  const exitCode = snapshot?.exitedRun === run ? snapshot.exitCode : undefined;
  return exitCode === undefined
    ? { run, exitUnknown: run > 0 }
    : { run, exitCode, exitUnknown: false };
}

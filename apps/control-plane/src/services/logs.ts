/**
 * Passes the journal of a container or of an exec session from the agent to the caller, unparsed. Reads are long polls by offset, so a reader that
 * is cut off resumes at its offset, and at most one read is buffered.
 */
import type { LogsRequest } from "@podfleet/api/services/containers";
import { backoffMs } from "@podfleet/base/backoff";
import { pause } from "@podfleet/base/pause";
import type { JournalChunk } from "@podfleet/bus/host-client";
import { type ContainerRow, findContainerById } from "@podfleet/db/containers";
import { isUnreachable } from "@podfleet/model/errors";
import type { LogChunk } from "@podfleet/model/log";

import { cutShort, type Fleet } from "./fleet.ts";
import type { WatchedHost } from "./host-watch.ts";
import { getReachableContainer } from "./known-container.ts";
import { unreachable } from "./unreachable.ts";

const bytesMax = 256 * 1024;
const pollMs = 20_000;
const answerMs = 5_000;
const retryDelay = { minMs: 100, maxMs: 2_000 };

/**
 * Yields the journal's records up to its present end; with `follow`, until it has ended for good, across outages of the host.
 * @throws PodfleetError CONTAINER_NOT_FOUND, EXEC_NOT_FOUND, also when it is removed meanwhile; AMBIGUOUS_ID; HOST_UNREACHABLE; CANCELLED;
 *   UNAVAILABLE when this process is about to end
 */
export async function* readLogs(
  fleet: Fleet,
  request: LogsRequest,
  caller: AbortSignal,
): AsyncGenerator<LogChunk, void> {
  const signal = AbortSignal.any([caller, fleet.draining]);
  const row = await getReachableContainer(fleet, request.container);
  let next = request.offset ?? (await locate(fleet, row, request));
  let host: WatchedHost = row.host;
  for (let attempt = 0; ; attempt += 1) {
    if (signal.aborted) throw cutShort(fleet, signal.reason);
    try {
      const waitMs = request.follow ? pollMs : 0;
      const read = await fleet.watch.during(host, signal, async (watched) => {
        const { exec: execId, descriptor } = request;
        const chunk = { containerId: row.id, execId, descriptor, offset: next, bytesMax, waitMs };
        const limits = { timeoutMs: waitMs + answerMs, signal: watched };
        return await fleet.hosts.readJournal(row.host.id, chunk, limits);
      });
      if (read.type === "done") {
        attempt = 0;
        const { bytes, offset } = read.value;
        const missed = offset > next ? { gap: { from: next, to: offset } } : {};
        ({ next } = read.value);
        if (bytes.length > 0 || "gap" in missed) yield { bytes, next, ...missed };
        if (isEnd(read.value, request.follow)) return;
        continue;
      }
      if (read.type === "silent" && !request.follow) throw unreachable(row.host);
    } catch (error) {
      if (signal.aborted) throw cutShort(fleet, error);
      if (!isUnreachable(error) || !request.follow) throw error;
    }
    await pause(backoffMs(attempt, retryDelay), signal);
    host = (await findContainerById(fleet.database, row.id))?.host ?? host;
  }
}

async function locate(fleet: Fleet, row: ContainerRow, request: LogsRequest): Promise<number> {
  const { exec: execId, tail, since } = request;
  if (tail === undefined && since === undefined) return 0;
  const payload = { containerId: row.id, execId, tail, since };
  const call = { payload, timeoutMs: answerMs };
  const { offset } = await fleet.hosts.request(row.host.id, "journal.locate", call);
  return offset;
}

function isEnd({ bytes, ended }: JournalChunk, follow: boolean): boolean {
  return ended || (!follow && bytes.length === 0);
}

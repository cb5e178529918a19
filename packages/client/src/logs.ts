/** Output of containers, read from the journal by offset, so that no byte is lost or repeated across outages. */
import type { ExecId } from "@podfleet/model/ids";
import { type LogChunk, logChunkSchema } from "@podfleet/model/log";
import { type LogRecord, readLogRecords } from "@podfleet/protocol/log/log-records";
import type { OutageOptions } from "@podfleet/protocol/session/outage";

import type { ApiInputs } from "./api.ts";
import type { Connection } from "./connection.ts";
import { subscribe, type SubscriptionRequest } from "./subscription.ts";

export type { LogRecord };

export type LogsRequest = Omit<ApiInputs["containers"]["logs"], "lastEventId"> & {
  /** Excludes output from this time on (RFC 3339). With `follow`, ends at this time. */
  readonly until?: string;
  /** Starts at this offset, such as a result of `journalEnd`. Overrides `tail` and `since`. */
  readonly offset?: number;
  /** Called in place of output that the host no longer keeps. */
  readonly onGap?: (gap: { readonly from: number; readonly to: number }) => Promise<void>;
  /** Reads the output of this exec session instead of the container's. */
  readonly exec?: ExecId;
};

/** Like `followLogChunks`, record by record. */
export async function* followLogs(
  connection: Connection,
  request: LogsRequest,
  options?: OutageOptions,
): AsyncGenerator<LogRecord, void> {
  for await (const records of followLogChunks(connection, request, options)) yield* records;
}

/**
 * Yields the records of each chunk of the journal. Ends at the journal's present end; with `follow`, after the last record of the run.
 * @throws PodfleetError UNAVAILABLE after an outage of `outageMaxMs`; HOST_UNREACHABLE when the host does not answer
 */
export async function* followLogChunks(
  connection: Connection,
  request: LogsRequest,
  options: OutageOptions = {},
): AsyncGenerator<LogRecord[], void> {
  const { until, offset, onGap, ...rest } = request;
  const input = { ...rest, ...(offset === undefined ? {} : { lastEventId: String(offset) }) };
  const path = input.exec === undefined ? "containers.logs" : "exec.output";
  yield* readLogRecords(
    (signal) => subscribeToChunks(connection, { path, input }, { ...options, signal }),
    { until, follow: input.follow, onGap, signal: options.signal },
  );
}

/** Yields the chunks of a subscription to output. */
export async function* subscribeToChunks(
  connection: Connection,
  request: SubscriptionRequest,
  options?: OutageOptions,
): AsyncGenerator<LogChunk, void> {
  for await (const { data } of subscribe(connection, request, options)) {
    yield logChunkSchema.parse(data);
  }
}

/** @returns the offset after the container's output so far */
export async function journalEnd(connection: Connection, container: string): Promise<number> {
  let end = 0;
  const request = { path: "containers.logs", input: { container, tail: 1 } };
  for await (const { next } of subscribeToChunks(connection, request)) end = next;
  return end;
}
